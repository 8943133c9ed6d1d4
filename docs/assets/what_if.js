// Works a page's numbers out anew where a reader changes parameters. All it knows stands in the page.
(() => {
  const holder = document.querySelector("[data-what-if]");
  if (!holder) return;
  const { fields, nodes, slots, conditions, rules, parts, writing } = JSON.parse(holder.dataset.whatIf);

  const { bits, fraction, read, less, same, size, plus, minus, times, over, power, scaled } = numbers;
  const floored = ([a, b]) => (a - (((a % b) + b) % b)) / b;
  const WORK = {
    "+": plus, "-": minus, "*": times, "/": over, "^": power,
    "//": (x, y) => [floored(over(x, y)), 1n],
    "%": (x, y) => minus(x, times(y, [floored(over(x, y)), 1n])),
    min: (x, y) => (less(y, x) ? y : x),
    max: (x, y) => (less(x, y) ? y : x),
    truth: (holds) => [holds ? 1n : 0n, 1n],
    not: (holds) => !holds,
    "==": same, "!=": (x, y) => !same(x, y),
    "<": less, ">": (x, y) => less(y, x), "<=": (x, y) => !less(y, x), ">=": (x, y) => !less(x, y),
  };
  // The value of every node, or null where it has none; nodes stand behind those that they are made of.
  const worked = (given) => {
    const values = [];
    for (const [sign, ...of] of nodes) {
      let value = null;
      try {
        if (sign === "#") value = read(of[0]);
        else if (sign === "p") value = given[of[0]];
        else if (of.every((place) => values[place] !== null)) value = WORK[sign](...of.map((place) => values[place]));
      } catch (error) {
        if (!(error instanceof RangeError)) throw error;
      }
      values.push(value);
    }
    return values;
  };

  // Numbers as the page writes them: `writing` holds the rules of generators/pipeline/typeset.py.
  const [LEAST_POWER, MOST_POWER] = writing.plainPowers;
  const halfToEven = ([a, b]) => {
    const whole = floored([a, b]);
    const twice = 2n * (a - whole * b);
    return twice > b || (twice === b && whole % 2n) ? whole + 1n : whole;
  };
  const binary = ([a, b]) => { // the nearest number that a float holds
    const shift = 53 - (bits(a) - bits(b));
    let [x, y] = shift < 0 ? [a, b << BigInt(-shift)] : [a << BigInt(shift), b];
    let moved = shift;
    while (x >= y << 53n) { y <<= 1n; moved -= 1; }
    while (x && x < y << 52n) { x <<= 1n; moved += 1; }
    const rounded = halfToEven([x, y]);
    return moved < 0 ? [rounded << BigInt(-moved), 1n] : fraction(rounded, 1n << BigInt(moved));
  };
  const asFloat = (number) => (number[0] < 0n ? minus([0n, 1n], binary(size(number))) : binary(number));
  const isPlain = (number) => {
    const float = size(asFloat(number));
    return !less(float, binary(scaled([1n, 1n], LEAST_POWER))) && less(float, scaled([1n, 1n], MOST_POWER));
  };
  const scientific = (number, digits) => { // the digits of a positive number, and its power of ten
    let exponent = number[0].toString().length - number[1].toString().length;
    if (less(number, scaled([1n, 1n], exponent))) exponent -= 1;
    const rounded = halfToEven(scaled(number, digits - 1 - exponent)).toString();
    return rounded.length > digits ? [rounded.slice(0, digits), exponent + 1] : [rounded, exponent];
  };
  const trimmed = (text) => (text.includes(".") ? text.replace(/0+$/, "").replace(/\.$/, "") : text);
  const pointed = (digits, places) => {
    const long = digits.padStart(places + 1, "0");
    return places ? `${long.slice(0, -places)}.${long.slice(-places)}` : long;
  };
  const THIN = "_"; // between groups of three digits
  const grouped = (digits) => (digits.length > 4 ? digits.replace(/\B(?=(\d{3})+$)/g, THIN) : digits);
  // Text such as -12_345.6 or -1.5e-9; a float among those that were rounded to `digits` keeps its zeros.
  const rounded = (number, digits = 0, measured = false) => {
    if (number[0] === 0n) return "0";
    const kept = digits || writing.significant;
    const sign = number[0] < 0n ? "-" : "";
    const float = size(asFloat(number));
    const [said, exponent] = scientific(float, kept);
    const value = scaled([BigInt(said), 1n], exponent - kept + 1);
    const reached = measured ? same(fraction(...asFloat(value)), float) : same(fraction(...value), size(number));
    const exact = !(digits && measured) && reached;
    if (!isPlain(number)) {
      const mantissa = pointed(said, kept - 1);
      return `${sign}${exact ? trimmed(mantissa) : mantissa}e${exponent}`;
    }
    const places = Math.max(0, kept - 1 - exponent);
    const text = pointed(halfToEven(scaled(float, places)).toString(), places);
    const [whole, decimals] = (exact ? trimmed(text) : text).split(".");
    return sign + grouped(whole) + (decimals ? `.${decimals}` : "");
  };
  const terminates = (number) => {
    if (!isPlain(number)) return number[0] === 0n;
    const [whole, decimals = ""] = rounded(number).replaceAll(THIN, "").split(".");
    return same(fraction(BigInt(whole + decimals), 10n ** BigInt(decimals.length)), number);
  };

  const MINUS = '<mo lspace="0" rspace="0">−</mo>';
  const SPACE = '<mspace width="0.16666667em"></mspace>';
  const digits = (text) => text.split(THIN).map((group) => `<mn>${group}</mn>`).join(SPACE);
  const math = (text) => {
    const [, sign, mantissa, , exponentSign = "", exponent] = /^(-?)([^e]*)(e(-?)(\d+))?$/.exec(text);
    const signed = (minusSign, inner) => (minusSign ? MINUS + inner : inner);
    const tail = exponent === undefined ? "" :
      `<mo lspace="0.2222em" rspace="0.2222em">×</mo><msup><mn>10</mn><mrow>${signed(exponentSign, `<mn>${exponent}</mn>`)}</mrow></msup>`;
    return signed(sign, digits(mantissa) + tail);
  };
  const exactly = ([a, b]) => {
    const sign = a < 0n ? MINUS : "";
    const [top, bottom] = [size([a, b])[0], b].map((part) => digits(grouped(part.toString())));
    if (b === 1n) return sign + top;
    return `${sign}<mfrac><mrow>${top}</mrow><mrow>${bottom}</mrow></mfrac>`;
  };
  const exact = (number) => (number[1] !== 1n && terminates(number) ? math(rounded(number)) : exactly(number));
  const suffix = (unit) => (unit ? `<mtext>\u00a0</mtext><mtext>${unit}</mtext>` : "");
  const TOO_LONG = BigInt(writing.tooLong);
  // Pairs of a relation and what stands behind it.
  const pieces = (number, unit, kept, onlyRounded) => {
    if (unit === "%") {
      const whole = terminates(number);
      return [[whole ? "" : "≈", `${math(rounded(number, whole ? 0 : kept))}${SPACE}<mi>%</mi>`]];
    }
    if (onlyRounded && number[1] !== 1n) return [["", math(rounded(number, kept, true)) + suffix(unit)]];
    if (size(number)[0] >= TOO_LONG || number[1] >= TOO_LONG) return [["≈", math(rounded(number, kept)) + suffix(unit)]];
    if (Object.hasOwn(writing.scales, unit)) {
      const scales = writing.scales[unit].map(([one, name]) => [BigInt(one), name]);
      const [scale, name] = scales.find(([one]) => !less(size(number), [one, 1n])) ?? [];
      const multiple = scale && fraction(number[0], number[1] * scale);
      const whole = scale && terminates(multiple);
      const said = scale ? [[whole ? "=" : "≈", math(rounded(multiple, whole ? 0 : kept)) + suffix(name)]] : [];
      return [["", exact(number) + suffix(unit)], ...said];
    }
    if (number[1] !== 1n && !terminates(number)) return [["", exact(number)], ["≈", math(rounded(number, kept)) + suffix(unit)]];
    return [["", exact(number) + suffix(unit)]];
  };
  const plain = (number) => {
    if (number[1] !== 1n && !terminates(number)) return number.join("/");
    return (number[1] === 1n ? number[0].toString().replace(/\d+/, grouped) : rounded(number)).replaceAll(THIN, "\u202f");
  };

  let known = []; // the values of all nodes
  // How each kind of place is written: its value, the element, which piece of a longer formula it is, and the slot's arguments.
  const WRITE = {
    value: (number, element, piece, unit, kept, onlyRounded, equated) => {
      const all = pieces(number, unit, kept, onlyRounded);
      if (equated && !all[0][0]) all[0][0] = "=";
      const isLast = piece === lastPiece.get(element.dataset.slot.split(".")[0]);
      const own = piece === null ? all : all.slice(piece, isLast ? all.length : piece + 1);
      element.innerHTML = own.map(([relation, text]) => (relation && `<mo>${relation}</mo>`) + text).join("");
    },
    product: (number, element) => {
      const text = exact(number);
      element.innerHTML = number[0] < 0n || text.includes("<mfrac>") ? `<mrow><mo>(</mo>${text}<mo>)</mo></mrow>` : text;
    },
    fraction: (number, element) => { element.innerHTML = exactly(number); },
    plain: (number, element) => { element.textContent = plain(number); },
    noun: (number, element, piece, singular, plural) => {
      element.textContent = same(number, [1n, 1n]) ? singular : plural || `${singular}s`;
    },
    either: (holds, element, piece, words, others) => { element.textContent = holds ? words : others; },
    when: (holds, element) => { element.hidden = !holds; },
    absent: (holds, element) => { element.hidden = !holds; },
  };
  const places = [...document.querySelectorAll("[data-slot]")];
  const lastPiece = new Map();
  for (const { dataset: { slot } } of places) {
    const [which, piece = "0"] = slot.split(".");
    lastPiece.set(which, Math.max(lastPiece.get(which) ?? 0, Number(piece)));
  }
  const isWords = (element) => "of" in element.dataset; // what a claim says may hold numbers of its own
  const asPublished = places.map((element) => [element, isWords(element) ? null : element.innerHTML, element.hidden]);

  const sentence = (text) => text.charAt(0).toUpperCase() + text.slice(1);
  const written = (text) => text.replace("-", "\u2212").replace(/\d+/, (whole) => grouped(whole).replaceAll(THIN, "\u202f"));
  // A fraction, or the words for what is wrong with what was typed.
  const typed = ({ label, shown, least, above, most, below, whole }, text) => {
    const [{ number } = {}] = numbers.readings(text, (unit) => ({ "": [1n, 1n], "%": !whole && [1n, 100n] })[unit]);
    const [from, to] = above || below ? [above ? "above " : "at least ", below ? ", below " : ", at most "] : ["from ", " to "];
    const range = from + written(least) + to + written(most);
    const must = `${sentence(label)}: must be a ${whole ? "whole " : ""}number ${range}.`;
    if (!number) return `${must} Write it as ${whole ? shown : "0.05 or 1/20"}.`;
    const isOut = less(number, read(least)) || less(read(most), number);
    const isAtEdge = (above && same(number, read(least))) || (below && same(number, read(most)));
    return (whole && number[1] !== 1n) || isOut || isAtEdge ? must : number;
  };

  // The rule that numbers break: a comparison where it is short, else in the words of the parameters.
  const labelOf = Object.fromEntries(fields.map(({ name, label }) => [name, label]));
  const MUST = {
    "==": ["must be", "must not be"], "!=": ["must not be", "must be"], "<": ["must be below", "must be at least"],
    ">": ["must be above", "must be at most"], "<=": ["must be at most", "must be above"], ">=": ["must be at least", "must be below"],
  };
  const LONGEST = 15; // digits of a number that is said
  const isShort = (number) => number?.every((part) => part.toString().length <= LONGEST);
  // A parameter with its number, or a number; null where it is neither or long.
  const simple = (place) => {
    const [sign, of] = nodes[place];
    if (sign !== "p") return sign === "#" && of.length <= LONGEST ? written(of) : null;
    return `${labelOf[of]}${isShort(known[place]) ? ` (${plain(known[place])})` : ""}`;
  };
  const explained = (rule) => {
    const [place, holds] = conditions[rule];
    const [sign, ...of] = nodes[place];
    const [inner, ...within] = nodes[of[0]];
    const compared = inner === "%" ? within : of;
    const [first, second] = compared.map(simple);
    if (!first || !second || (rules[rule] && compared.some((side) => nodes[side][0] === "#"))) {
      const names = [...new Set(parametersOf(place))], said = rules[rule] ?? "these numbers do not go together";
      const sides = compared.map((side) => known[side]);
      const is = inner === "%" ? first && second && "is no multiple of" : { "<": "is less than", ">": "is more than" }[sign];
      const because = is && !holds && sides.every(isShort) ? `: ${plain(sides[0])} ${is} ${plain(sides[1])}` : "";
      return (names.length > 1 || said.startsWith(labelOf[names[0]]) ? said : `${labelOf[names[0]]}: ${said}`) + because;
    }
    if (inner === "%") return nodes[within[0]][0] === "#" ? `${second} must divide ${first}` : `${first} must be a multiple of ${second}`;
    return `${first} ${MUST[sign][holds ? 0 : 1]} ${second}`;
  };
  const parametersOf = (place) => {
    const [sign, ...of] = nodes[place];
    return sign === "p" ? of : sign === "#" ? [] : of.flatMap(parametersOf);
  };

  const cross = (element, out) => {
    element.classList.toggle("not-followed", out);
    if (out && element.localName === "span") element.setAttribute("role", "deletion");
    if (!out && element.getAttribute("role") === "deletion") element.removeAttribute("role");
    if (!element.getAttribute("class")) element.removeAttribute("class");
  };
  const addressed = [...document.querySelectorAll("article [id*='/'], article [data-of]")];
  const labelAt = (element) => (element.dataset.of ?? element.id).split("/")[0];
  // What was measured says so before its first sentence, which then stays true; its tables are crossed out.
  const isSaid = (element) => labelAt(element).startsWith("measured") && !element.closest("table");
  const said = addressed.filter((one, place) => isSaid(one) && !addressed.slice(0, place).some((other) => labelAt(other) === labelAt(one)));
  const saysSo = () => made("strong", { className: "of-published" }, "Measured with the published numbers. ");
  const hostOf = new Map(places.map((element) => [element, element.closest("[id*='/'], [data-of]")]));
  // Writes the page for these numbers, or returns the place of the rule that they break.
  const show = (given) => {
    const values = known = worked(given);
    const broken = conditions.flatMap(([node, holds], place) => (values[node] === holds ? [] : [place]));
    const rule = broken.find((place) => parts.rules.includes(place));
    if (rule !== undefined) return rule;
    const follows = (label) => !(label in parts) || !broken.some((place) => parts[label].includes(place));
    for (const element of places) {
      const [which, piece = null] = element.dataset.slot.split(".");
      const [node, label, kind, ...more] = slots[which];
      const host = hostOf.get(element);
      const isFollowed = values[node] !== null && follows(label) && (!host || follows(labelAt(host)));
      if (isFollowed) WRITE[kind](values[node], element, piece && Number(piece), ...more);
      cross(element, !isFollowed || (kind === "absent" && values[node]));
    }
    for (const element of addressed) {
      if (!element.matches(".frame, [data-slot]")) cross(element, !follows(labelAt(element)) && !isSaid(element));
    }
    for (const one of said) if (!follows(labelAt(one))) one.closest("p").prepend(saysSo());
    redraw(values, follows);
    return null;
  };
  const figureBefore = (one) => (one && !one.matches("figure") ? figureBefore(one.previousElementSibling) : one);
  const charts = [...document.querySelectorAll("[data-chart]")]
    .map((one) => [figureBefore(one), JSON.parse(one.dataset.chart)]).filter(([figure]) => figure);
  // Numbers stand in a picture as they are, or as the slot that they follow; a point that is not there is left out.
  const isThere = (one) => !(Array.isArray(one) && one.includes(null));
  const followed = (of, values) => {
    if (Array.isArray(of)) return of.map((one) => followed(one, values)).filter(isThere);
    if (of?.slot !== undefined) {
      if (of.when !== undefined && !values[slots[of.when][0]]) return null;
      const value = values[slots[of.slot][0]];
      return value ? Number(value[0]) / Number(value[1]) : NaN;
    }
    if (of && typeof of === "object") return Object.fromEntries(Object.entries(of).map(([key, one]) => [key, followed(one, values)]));
    return of;
  };
  const redraw = (values, follows) => {
    for (const [figure, { of, moves, ...recipe }] of charts) {
      const isFollowed = of.every(follows);
      const { lines, ...axes } = followed(recipe, values);
      // Lines that come and go have no points while they are gone; a number that cannot be drawn gives no chart.
      const drawn = isFollowed && lines && chart({ ...axes, lines: lines.filter(({ points }) => points.length) });
      if (drawn) figure.querySelector(".frame").append(drawn);
      figure.classList.toggle("charted", Boolean(drawn));
      figure.classList.toggle("stale", !drawn && (moves || !isFollowed));
    }
  };
  const restore = () => {
    for (const one of document.querySelectorAll("svg.chart, .of-published")) one.remove();
    for (const one of document.querySelectorAll(".charted, .stale")) one.classList.remove("charted", "stale");
    for (const [element, inner, hidden] of asPublished) {
      if (inner !== null) element.innerHTML = inner;
      element.hidden = hidden;
    }
    for (const element of document.querySelectorAll(".not-followed")) cross(element, false);
  };

  const CHANGED = "These are not the checked answers: the page works its numbers out anew, by the same formulas." +
    " “Why is my number different?” is for the published numbers only.";
  const CROSSED = " What is crossed out is of the published numbers only: it was measured or sampled, or would have other rows or words.";
  const PUBLISHED = " The page shows the published numbers.";
  const inputs = {};
  let kept = ""; // changed numbers, as the address has them
  const status = made("output", { id: "what-if-status" });
  const reset = made("button", { type: "button", hidden: true }, "Back to the published numbers");
  const refuse = (those, text) => {
    for (const { name } of those) inputs[name].setAttribute("aria-invalid", "true");
    status.textContent = text + PUBLISHED;
  };
  const apply = () => {
    restore();
    status.textContent = "";
    const given = Object.fromEntries(fields.map((field) => [field.name, typed(field, inputs[field.name].value)]));
    const wrong = fields.filter(({ name }) => typeof given[name] === "string");
    const changed = fields.filter(({ name, value }) => wrong.some((one) => one.name === name) || !same(given[name], read(value)));
    for (const { name } of fields) inputs[name].setAttribute("aria-invalid", "false");
    const rule = wrong.length || !changed.length ? null : show(given);
    if (wrong.length) refuse(wrong, wrong.map(({ name }) => given[name]).join(" "));
    else if (rule !== null) {
      const within = parametersOf(conditions[rule][0]);
      refuse(changed.filter(({ name }) => within.includes(name)), `${sentence(explained(rule))}.`);
    }
    else if (changed.length) status.textContent = CHANGED + (document.querySelector(".not-followed") ? CROSSED : "");
    document.body.classList.toggle("what-if-changed", changed.length > 0 && !wrong.length && rule === null);
    reset.hidden = !changed.length;
    const own = new URLSearchParams(changed.map(({ name }) => [name, inputs[name].value])).toString();
    kept = own && `#what-if?${own}`;
    const hash = kept || (location.hash.startsWith("#what-if?") ? "" : location.hash);
    history.replaceState(history.state, "", location.pathname + location.search + hash);
  };

  const panel = made("details", { className: "what-if", id: "what-if" }, made("summary", {}, "What if other numbers were given?"));
  const form = made("p");
  const rows = {}; // numbers of one row of a table stand side by side
  for (const { name, label, row, symbol, unit, shown, options } of fields) {
    inputs[name] = options ? made("select", {}, ...Object.entries(options).map(([value, text]) => made("option", { value }, text))) :
      made("input", { type: "text", inputMode: "decimal", autocomplete: "off", spellcheck: false });
    inputs[name].value = shown;
    inputs[name].setAttribute("aria-describedby", status.id);
    inputs[name].addEventListener("input", apply);
    if (row) {
      inputs[name].setAttribute("aria-label", sentence(label));
      if (!rows[row]) form.append(made("span", {}, sentence(row), " ", rows[row] = made("span", { className: "row" })));
      rows[row].append(inputs[name]);
      continue;
    }
    const words = made("span");
    words.innerHTML = symbol && ` ${symbol}`;
    form.append(made("label", {}, sentence(label), words, unit && ` (${unit})`, " ", inputs[name]), " ");
  }
  reset.addEventListener("click", () => {
    for (const { name, shown } of fields) inputs[name].value = shown;
    apply();
    inputs[fields[0].name].focus();
  });
  panel.append(form, made("p", {}, status, " ", reset));
  let last = document.getElementById("question") ?? document.querySelector("article h2");
  while (last.nextElementSibling && last.nextElementSibling.tagName !== "H2") last = last.nextElementSibling;
  last.after(panel);

  const fromAddress = () => {
    if (location.hash && !location.hash.startsWith("#what-if?")) { // a place on the page
      if (kept && !location.hash.startsWith("#variant=")) history.replaceState(history.state, "", kept);
      return;
    }
    if (!location.hash && !kept) return; // else the Back button leads to the published numbers
    const given = new URLSearchParams(location.hash.slice("#what-if?".length));
    for (const { name, shown } of fields) inputs[name].value = given.get(name) ?? shown;
    panel.open = true;
    apply();
  };
  addEventListener("hashchange", fromAddress);
  fromAddress();
})();
