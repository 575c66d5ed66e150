"""``wristseg qa``: which labels of a data set are probably wrong."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from wristseg.cli.command import limit_spinning, needs_extra, run_command
from wristseg.errors import UsageError
from wristseg.labeling.config import QaConfig

if TYPE_CHECKING:
    from wristseg.labeling.qa import JudgedFrame
    from wristseg.labeling.qa_labels import AllLabels
    from wristseg.labeling.qa_models import Judges

__all__ = ["main"]

_DESCRIPTION = """
Tell which labels of a data set are probably wrong, by models that did not see them.

  wristseg qa data/dataset_v0
  wristseg qa data/dataset_v0 --checkpoint outputs/efficientvit_seg/best.ckpt

Nothing in the data set is changed. A second call with the same labels and options trains nothing.
"""

#: The rest stands in the page and in the record.
_SHOWN = 20


def main(argv: Sequence[str] | None = None, *, prog: str = "wristseg qa") -> int:
    """Run the command and return its exit code."""
    return run_command(QaConfig, _run, argv, prog=prog, description=_DESCRIPTION)


def _run(config: QaConfig) -> int:
    limit_spinning()
    with needs_extra("labels"):
        from wristseg.labeling.qa import RECORD, look_over, write_record
        from wristseg.labeling.qa_labels import load_all_labels
        from wristseg.labeling.qa_page import PAGE, write_page
    _require_outside(config)
    labels = load_all_labels(config.dataset(), config.folder)
    judges = _judges(config, labels)
    judged = look_over(labels, judges.of)
    page, record = config.folder / PAGE, config.folder / RECORD
    next_steps = [("Look at them, and mark those that are to be left out:", _next(config))]
    write_page(
        page,
        labels,
        judged,
        judges.of,
        top=config.top,
        said=judges.said,
        origin=[*judges.origin_rows(), ("data set, SHA-256", labels.dataset.sha256)],
        next_steps=next_steps,
    )
    origin = {"options": vars(config), "said": judges.said, "models": judges.record()}
    write_record(record, labels, judged, origin)
    _print(judged, labels)
    print(f"page: {page}\nall frames: {record}\nnext: {_next(config)}")
    return 0


def _require_outside(config: QaConfig) -> None:
    """Refuse to write into the data set, whose files are the user's.

    Raises:
        UsageError: The output folder is the data set's, or lies in it.
    """
    dataset, folder = config.dataset_path.resolve(), config.folder.resolve()
    if folder.is_relative_to(dataset):
        raise UsageError(f"--output {config.folder}: lies in the data set; choose another folder")


def _judges(config: QaConfig, labels: AllLabels) -> Judges:
    if config.checkpoint is None:
        from wristseg.cli.qa_folds import fold_judges

        return fold_judges(config, labels)
    from wristseg.labeling.qa_models import Judges

    return Judges.of_checkpoint(config.checkpoint, labels.dataset, device=config.device)


def _next(config: QaConfig) -> str:
    command = f"wristseg review {config.dataset_path}"
    return command if config.checkpoint is None else f"{command} --checkpoint {config.checkpoint}"


def _print(judged: Sequence[JudgedFrame], labels: AllLabels) -> None:
    """Print the head of the ranking; lines are left whole, for grep and terminals of any width."""
    shown = judged[:_SHOWN]
    width = max(len(frame.frame.stem) for frame in shown)
    print(f"rank  {'frame':<{width}}  suspicion  what seems to be wrong")
    for rank, frame in enumerate(shown, start=1):
        said = frame.findings[0].said if frame.findings else "-"
        mark = " (marked as excluded)" if frame.excluded else ""
        print(f"{rank:>4}  {frame.frame.stem:<{width}}  {frame.suspicion:>9.2f}  {said}{mark}")
    for stem, reason in labels.unreadable.items():
        print(f"not looked at: {stem} (marked as excluded): {reason}")
