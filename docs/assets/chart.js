// Draws lines over one quantity, as generators/figures/lines.py does, for numbers that a reader changed.
(() => {
  const WIDTH = 461, HEIGHT = 326, TOP = 10, BOTTOM = 44; // 4.8 by 3.4 inches in CSS pixels
  const LETTER = 6.4, LABEL_GAP = 15; // about the width of a letter; between the names of neighbouring lines
  const COLOURS = ["accent", "warning", "third", "fourth", "fifth"];
  const DASHES = ["", "6 3", "10 3 2 3", "2 3", "8 3 2 3 2 3"];
  const MARKERS = ["M-4,0a4,4 0 1,0 8,0a4,4 0 1,0 -8,0", "M-4,-4h8v8h-8z", "M0,-5l5,9h-10z", "M0,-5l5,5l-5,5l-5,-5z", "M0,5l5,-9h-10z"];
  const svg = (name, attributes, ...children) => {
    const element = document.createElementNS("http://www.w3.org/2000/svg", name);
    for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
    element.append(...children);
    return element;
  };

  // From a number to its share of an axis, and the numbers that are written at it.
  const scaled = ({ log, base, limits, whole }, numbers) => {
    const place = log ? Math.log : (number) => number;
    const [low, high] = [Math.min(...numbers), Math.max(...numbers)].map(place);
    const room = 0.05 * (high - low || 1);
    const [first, last] = limits ? limits.map(place) : [low - room, high + room];
    const ticks = log ? powers(Math.exp(first), Math.exp(last), base) : steps(first, last, whole);
    return { ticks, share: (number) => (place(number) - first) / (last - first) };
  };
  const steps = (first, last, whole = false) => {
    const least = 10 ** Math.floor(Math.log10((last - first) / 9));
    const step = [1, 2, 2.5, 5, 10].map((one) => one * least).find((one) => (last - first) / one <= 9 && !(whole && one % 1));
    const decimals = whole ? 0 : [0, 1, 2, 3, 4, 5, 6].find((digits) => Number.isInteger(Number((step * 10 ** digits).toFixed(6))));
    const from = Math.ceil(first / step), to = Math.floor(last / step);
    return Array.from({ length: to - from + 1 }, (_, n) => [(from + n) * step, ((from + n) * step).toFixed(decimals)]);
  };
  const powers = (first, last, base) => {
    const from = Math.ceil(Math.log(first) / Math.log(base) - 1), to = Math.floor(Math.log(last) / Math.log(base));
    const isLong = last >= 1e5 || first <= 1e-5;
    const between = base === 10 && last < 1000 * first && !isLong ? [1, 2, 5] : [1];
    const every = Math.max(1, Math.ceil((to - from) / 9));
    const all = Array.from({ length: to - from + 1 }, (_, n) => from + n).filter((power) => power % every === 0);
    const written = (number, power) => (isLong ? [String(base), power] : [grouped(Number(number.toPrecision(6)))]);
    const ticks = all.flatMap((power) => between.map((one) => [one * base ** power, ...written(one * base ** power, power)]))
      .filter(([number]) => number >= first && number <= last);
    return ticks.length > 1 ? ticks : steps(first, last);
  };
  const grouped = (number) => (number < 1000 ? String(number) : String(number).replace(/\B(?=(\d{3})+$)/, "\u2009"));
  const words = (number) => (Math.abs(number) >= 1000 ? number.toFixed(0).replace(/\B(?=(\d{3})+$)/g, ",") : String(Number(number.toPrecision(4))));

  const named = (one) => (typeof one === "number" && !Number.isInteger(one) ? Number(one.toPrecision(6)) : one);

  // Places moved apart until neighbours do not touch, in their order, and none below the picture.
  const spread = (places) => {
    const order = places.map((_, n) => n).sort((one, other) => places[one] - places[other] || other - one);
    const moved = [...places];
    for (let round = 0; round < 200; round += 1) {
      for (let n = 1; n < order.length; n += 1) {
        const missing = LABEL_GAP - (moved[order[n]] - moved[order[n - 1]]);
        if (missing > 0) [moved[order[n - 1]], moved[order[n]]] = [moved[order[n - 1]] - missing / 2, moved[order[n]] + missing / 2];
      }
    }
    let last = HEIGHT - BOTTOM;
    for (const one of order.reverse()) {
      moved[one] = Math.min(moved[one], last - LABEL_GAP / 2);
      last = moved[one] - LABEL_GAP / 2;
    }
    return moved;
  };

  const titled = ({ label, log }) => (log ? `${label} (log scale)` : label);
  window.chart = ({ lines: given, x, y }) => {
    const lines = given.map((line) => ({ ...line, name: [line.name].flat().map(named).join("") }));
    const isDrawn = ({ log }, number) => Number.isFinite(number) && !(log && number <= 0);
    if (lines.some(({ points, marked }) => [...points, ...marked].some(([u, v]) => !isDrawn(x, u) || !isDrawn(y, v)))) return null;
    const numbers = (axis) => lines.flatMap(({ points, marked }) => [...points, ...marked].map((point) => point[axis]));
    const right = WIDTH - 12 - LETTER * Math.max(...lines.map(({ name }) => name.length));
    const [across, up] = [scaled(x, numbers(0)), scaled(y, numbers(1))];
    const left = 26 + LETTER * Math.max(5, ...up.ticks.map(([, label]) => label.length)); // the title, and the longest number
    const at = ([u, v]) => [left + across.share(u) * (right - left), HEIGHT - BOTTOM - up.share(v) * (HEIGHT - BOTTOM - TOP)];
    const text = (content, left, top, attributes) => svg("text", { x: left, y: top, dy: "0.35em", ...attributes }, ...content);
    const written = ([label, power]) => (power === undefined ? [label] : [label, svg("tspan", { dy: "-0.5em", "font-size": 9 }, power)]);
    const axes = svg("g", { class: "axes" }, svg("path", { d: `M${left},${TOP}V${HEIGHT - BOTTOM}H${right}` }));
    for (const [number, ...label] of across.ticks) {
      const place = left + across.share(number) * (right - left);
      axes.append(svg("path", { d: `M${place},${HEIGHT - BOTTOM}v4` }), text(written(label), place, HEIGHT - BOTTOM + 14, { "text-anchor": "middle" }));
    }
    for (const [number, ...label] of up.ticks) {
      const top = HEIGHT - BOTTOM - up.share(number) * (HEIGHT - BOTTOM - TOP);
      axes.append(svg("path", { d: `M${left},${top}h-4` }), text(written(label), left - 7, top, { "text-anchor": "end" }));
    }
    const turned = `rotate(-90) translate(${-(HEIGHT - BOTTOM + TOP) / 2},9)`;
    axes.append(
      text([titled(x)], (left + right) / 2, HEIGHT - 9, { "text-anchor": "middle" }),
      text([titled(y)], 0, 0, { "text-anchor": "middle", transform: turned }),
    );
    const ends = lines.map(({ points }) => at(points.at(-1)));
    const heights = spread(ends.map(([, top]) => top));
    const drawn = lines.map(({ name, points, marked, notes }, place) => svg("g", { style: `color: var(--answer-${COLOURS[place % 5]})` },
      svg("path", { class: "line", d: `M${points.map(at).join("L")}`, "stroke-dasharray": DASHES[place % 5] }),
      ...marked.map((point) => svg("path", { class: "mark", d: MARKERS[place % 5], transform: `translate(${at(point)})` })),
      ...notes.map(([u, v, note]) => text([note], at([u, v])[0] + 5, at([u, v])[1] + 10, {})),
      text([name], ends[place][0] + 8, heights[place], {})));
    const said = lines.flatMap(({ name, points: [first, ...others], notes }) => {
      const [begin, end] = [first, others.at(-1) ?? first].map(([u, v]) => `${words(v)} at ${words(u)}`);
      return [`${name}: ${begin} to ${end}`, ...notes.map(([u, v, note]) => `${note}: ${words(v)} at ${words(u)}`)];
    });
    const label = `${y.label}, over ${x.label}. ${said.join("; ")}.`;
    return svg("svg", { class: "chart", viewBox: `0 0 ${WIDTH} ${HEIGHT}`, role: "img", "aria-label": label }, axes, ...drawn);
  };
})();
