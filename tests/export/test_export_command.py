"""``wristseg export`` and ``wristseg info`` on what it wrote: exit codes and what is printed."""

from __future__ import annotations

import json

from wristseg.artifacts import sha256_of
from wristseg.cli.export import main
from wristseg.cli.info import main as info_main


def test_results_go_to_stdout_and_progress_to_stderr(quick, run_folder, capsys):
    assert main([str(run_folder / "best.ckpt")]) == 0
    printed = capsys.readouterr()
    assert printed.out.splitlines()[0] == str(run_folder / "best_48x64.onnx")
    assert "of pixels as the checkpoint's on 3 validation frames; worst frame demo" in printed.out
    assert "val/iou 0." in printed.out
    assert "a frame on this machine (median): export " in printed.out
    assert "building the graph for 48x64 frames (h x w)" in printed.err


def test_a_refusal_ends_with_3_and_usage_with_2(quick, run_folder, capsys):
    checkpoint = str(run_folder / "best.ckpt")
    assert main([checkpoint, "--precision", "int8"]) == 3
    assert "wristseg export: " in capsys.readouterr().err
    assert main([checkpoint, "--size", "big"]) == 2
    assert "expected HEIGHTxWIDTH" in capsys.readouterr().err
    assert main([checkpoint, "--precision", "int8", "--allow-loss"]) == 0
    assert "kept in spite of: " in capsys.readouterr().out


def test_info_describes_an_export_as_it_does_a_checkpoint(quick, run_folder, capsys):
    main([str(run_folder / "best.ckpt")])
    main([str(run_folder / "best.ckpt"), "--format", "openvino"])
    capsys.readouterr()
    assert info_main([str(run_folder / "best.ckpt"), "--json"]) == 0
    checkpoint = json.loads(capsys.readouterr().out)
    for name in ("best_48x64.onnx", "best_48x64.xml"):
        assert info_main([str(run_folder / name), "--json"]) == 0
        export = json.loads(capsys.readouterr().out)
        assert export["sha256"] == sha256_of(run_folder / name)
        assert export.pop("export") == {
            "frame_hw": [48, 64],
            "color_order": "rgb",
            "precision": "fp32",
            "checkpoint_sha256": sha256_of(run_folder / "best.ckpt"),
        }
        assert export["made_by"] == "wristseg export, from a checkpoint of wristseg train"
        assert export["observation_from"] == "the file"  # an export spells the whole contract out
        for own in ("file", "sha256", "made_by", "observation_from"):
            export[own] = checkpoint[own]
        assert export == checkpoint


def test_info_of_a_damaged_export_ends_with_3(quick, run_folder, capsys):
    main([str(run_folder / "best.ckpt")])
    path = run_folder / "best_48x64.onnx"
    damaged = bytearray(path.read_bytes())
    damaged[len(damaged) // 2] ^= 1
    path.write_bytes(damaged)
    assert info_main([str(path)]) == 3
    assert "best_48x64.onnx: damaged, its SHA-256" in capsys.readouterr().err
