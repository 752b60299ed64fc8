import type { FirstToken } from "./first-token.ts";

const colours = ["#0b6bcb", "#c2410c", "#15803d", "#7e22ce", "#525252"];

const escaped = (text: string) => text.replaceAll("&", "&amp;").replaceAll("<", "&lt;");

const text = (x: number, y: number, content: string, more = "") =>
  `<text x="${x.toFixed(1)}" y="${y.toFixed(1)}" ${more}>${escaped(content)}</text>`;

const line = (x1: number, y1: number, x2: number, y2: number, more: string) =>
  `<line x1="${x1.toFixed(1)}" y1="${y1.toFixed(1)}" x2="${x2.toFixed(1)}" y2="${y2.toFixed(1)}" ${more}/>`;

/** On white, since a page may be dark. */
const picture = (width: number, height: number, parts: readonly string[]) =>
  [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" font-family="sans-serif" font-size="12">`,
    `<rect width="${width}" height="${height}" fill="#fff"/>`,
    ...parts,
    "</svg>\n",
  ].join("\n");

/** One line of a plot: its points as (x, y), both above 0. */
export interface Series {
  readonly name: string;
  readonly points: readonly (readonly [number, number])[];
}

const decades = (least: number, most: number) => {
  const first = Math.floor(Math.log10(least));
  return Array.from({ length: Math.ceil(Math.log10(most)) - first + 1 }, (_, i) => 10 ** (first + i));
};

/** Lines on logarithmic axes, on which what grows in proportion rises as the dotted lines do. */
export function plot(xName: string, yName: string, series: readonly Series[]): string {
  const [width, height, left, right, top, bottom] = [720, 400, 60, 230, 20, 45];
  const points = series.flatMap((one) => one.points);
  const xs = decades(Math.min(...points.map(([x]) => x)), Math.max(...points.map(([x]) => x)));
  const ys = decades(Math.min(...points.map(([, y]) => y)), Math.max(...points.map(([, y]) => y)));
  const place = (value: number, all: readonly number[], from: number, to: number) => {
    const [low, high] = [Math.log10(all[0] ?? 1), Math.log10(all.at(-1) ?? 10)];
    return from + ((Math.log10(value) - low) / (high - low || 1)) * (to - from);
  };
  const px = (x: number) => place(x, xs, left, width - right);
  const py = (y: number) => place(y, ys, height - bottom, top);
  const grid = [
    ...xs.map(
      (x) =>
        line(px(x), top, px(x), height - bottom, 'stroke="#ddd"') +
        text(px(x), height - bottom + 16, `${x}`, 'text-anchor="middle"'),
    ),
    ...ys.map(
      (y) =>
        line(left, py(y), width - right, py(y), 'stroke="#ddd"') +
        text(left - 6, py(y) + 4, `${Number(y.toPrecision(1))}`, 'text-anchor="end"'),
    ),
    ...ys.slice(0, -1).map((y) => {
      const reach = Math.min((xs.at(-1) ?? 1) / (xs[0] ?? 1), (ys.at(-1) ?? 1) / y);
      return line(
        px(xs[0] ?? 1),
        py(y),
        px((xs[0] ?? 1) * reach),
        py(y * reach),
        'stroke="#bbb" stroke-dasharray="2 4"',
      );
    }),
    text((left + width - right) / 2, height - 8, xName, 'text-anchor="middle"'),
    `<g transform="rotate(-90 14 ${height / 2})">${text(14, height / 2, yName, 'text-anchor="middle"')}</g>`,
  ];
  // Names stand at the ends of their lines, moved apart where these end close together.
  const ends = series
    .map((one, i) => ({ one, i, y: py(one.points.at(-1)?.[1] ?? 1) + 4 }))
    .sort((a, b) => a.y - b.y);
  for (const [i, end] of ends.entries()) end.y = Math.max(end.y, (ends[i - 1]?.y ?? 0) + 15);
  const lines = ends.map(({ one, i, y }) => {
    const colour = colours[i % colours.length];
    const path = one.points.map(([a, b]) => `${px(a).toFixed(1)},${py(b).toFixed(1)}`).join(" ");
    const dots = one.points.map(
      ([a, b]) => `<circle cx="${px(a).toFixed(1)}" cy="${py(b).toFixed(1)}" r="3" fill="${colour}"/>`,
    );
    return `<polyline points="${path}" fill="none" stroke="${colour}" stroke-width="2"/>${dots.join("")}${text(width - right + 8, y, one.name, `fill="${colour}"`)}`;
  });
  return picture(width, height, [...grid, ...lines]);
}

/** When each resource was begun and done; the longest chain is drawn darker. */
export function gantt({ spans, chain, resourceSeconds }: FirstToken): string {
  const [left, right, row, top] = [190, 70, 22, 30];
  const width = 860;
  const height = top + spans.length * row + 10;
  const px = (at: number) => left + (at / resourceSeconds) * (width - left - right);
  const step = [0.5, 1, 2, 5, 10, 20, 50, 100].find((size) => resourceSeconds / size <= 12) ?? 200;
  const ticks = Array.from({ length: Math.floor(resourceSeconds / step) + 1 }, (_, i) => i * step);
  const sorted = [...spans].sort((a, b) => a.begun - b.begun || a.done - b.done);
  return picture(width, height, [
    ...ticks.map(
      (at) =>
        line(px(at), top - 6, px(at), height - 10, 'stroke="#ddd"') +
        text(px(at), 16, `${at} s`, 'text-anchor="middle"'),
    ),
    ...sorted.flatMap(({ name, begun, done }, i) => {
      const y = top + i * row;
      const colour = chain.includes(name) ? "#c2410c" : "#93c5fd";
      return [
        text(left - 8, y + 14, name, 'text-anchor="end"'),
        `<rect x="${px(begun).toFixed(1)}" y="${y + 3}" width="${Math.max(1, px(done) - px(begun)).toFixed(1)}" height="${row - 7}" fill="${colour}"/>`,
        text(px(done) + 4, y + 14, `${(done - begun).toFixed(1)} s`),
      ];
    }),
  ]);
}
