// Class ids as a coloured layer to lay over a frame, one pixel per pixel.

const DIFFERENCE = [230, 0, 70];
const IGNORED = 255;

/**
 * classes: [{ color_rgb }], by id; hidden: set of ids that are left out.
 * Pixels of class 0 and hidden ones are clear.
 */
export function labelLayer(ids, [height, width], classes, hidden) {
  const colors = new Uint32Array(256);
  classes.forEach(({ color_rgb: rgb }, id) => {
    if (id > 0 && !hidden.has(id)) colors[id] = pixel(rgb);
  });
  colors[IGNORED] = pixel([128, 128, 128]);
  return layer(height, width, (pixels) => {
    for (let i = 0; i < pixels.length; i += 1) pixels[i] = colors[ids[i]];
  });
}

/** Where two masks differ; pixels that nobody labelled say nothing. */
export function differenceLayer(label, model, [height, width], hidden) {
  const color = pixel(DIFFERENCE);
  return layer(height, width, (pixels) => {
    for (let i = 0; i < pixels.length; i += 1) {
      const a = label[i];
      const b = model[i];
      if (a !== b && a !== 0 && a !== IGNORED && !(hidden.has(a) && hidden.has(b))) pixels[i] = color;
    }
  });
}

function layer(height, width, fill) {
  const canvas = new OffscreenCanvas(width, height);
  const context = canvas.getContext("2d");
  const image = context.createImageData(width, height);
  fill(new Uint32Array(image.data.buffer));
  context.putImageData(image, 0, 0);
  return canvas;
}

/** RGBA in the order in which little-endian machines, all that browsers run on, keep it. */
function pixel([red, green, blue]) {
  return ((255 << 24) | (blue << 16) | (green << 8) | red) >>> 0;
}
