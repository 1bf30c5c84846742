// @ts-check
/** A strip of partitions: a bar each, as high as the partition is behind; a thousand fit. A dot is one that is not known. */

/**
 * @param {HTMLCanvasElement} canvas
 * @param {{value: number | null, missing: boolean}[]} partitions
 */
export function drawStrip(canvas, partitions) {
  const ratio = window.devicePixelRatio || 1;
  const [width, height] = [canvas.clientWidth * ratio, 36 * ratio];
  if (canvas.width !== width || canvas.height !== height) [canvas.width, canvas.height] = [width, height];
  const context = canvas.getContext("2d");
  if (context === null || partitions.length === 0) return;
  const style = getComputedStyle(canvas);
  const [bar, none, unknown, floor] = ["--matched", "--rejected", "--unmatched", "--line"].map((name) => style.getPropertyValue(name));
  const step = Math.min(width / partitions.length, 26 * ratio);
  const gap = step > 4 * ratio ? ratio : 0;
  const largest = Math.max(...partitions.map((one) => one.value ?? 0), 1);
  context.clearRect(0, 0, width, height);
  partitions.forEach(({ value, missing }, at) => {
    const x = at * step;
    context.fillStyle = floor;
    context.fillRect(x, height - 2 * ratio, Math.max(step - gap, 1), 2 * ratio);
    // By the logarithm: one record behind is seen beside a million.
    const size = value === null ? 0 : Math.log1p(value) / Math.log1p(largest);
    context.fillStyle = missing ? none : bar;
    context.fillRect(x, height - size * height, Math.max(step - gap, 1), size * height);
    if (missing) context.fillRect(x, 0, Math.max(step - gap, 1), 4 * ratio);
    if (value === null) {
      context.fillStyle = unknown;
      context.fillRect(x, height / 2, Math.max(step - gap, 1), 4 * ratio);
    }
  });
}
