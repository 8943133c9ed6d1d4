// Tells a reader what a number of their own has to do with a boxed one. All it knows stands in the page.
(() => {
  const data = document.querySelector("[data-boxed]");
  if (!data) return;
  const { numbers: asked, rows, more, letters, scaling } = JSON.parse(data.dataset.boxed);
  const boxed = [...asked, ...rows];
  const partOf = ({ at }) => at.split("/")[0];
  const place = (name, part, { at }) => `of “${name}”${part === partOf({ at }) ? "" : ` in ${part.replaceAll("_", " ")}`}`;
  for (const one of asked) { // the number of another box, or of another place in the same one
    const others = asked.filter((other) => other !== one && other.unit === one.unit && other.value !== one.value);
    one.others = others.map((other) => [other.value, place(other.name, partOf(other), one)]);
  }

  // Units that a reader may write in the place of a number's own, each as so many of one of its kind.
  const PREFIXES = ["", "k", "M", "G", "T", "P"];
  const decimal = (unit) => PREFIXES.map((prefix, place) => [prefix + unit, [1000n ** BigInt(place), 1n]]);
  const binary = PREFIXES.slice(1).map((prefix, place) => [`${prefix.toUpperCase()}iB`, [1024n ** BigInt(place + 1), 1n]]);
  const times10 = [["s", [1n, 1n]], ["ms", [1n, 1000n]], ["µs", [1n, 1000000n]], ["us", [1n, 1000000n]]];
  const KINDS = [[...decimal("B"), ...binary], decimal("FLOP"), times10].map((units) => new Map(units));
  const named = (unit) => unit.replace(/flops?/i, "FLOP").replace(/bytes?/i, "B").replace(/^KB$/, "kB");
  const readingsOf = (text, { at, unit, value }) => {
    const kind = KINDS.find((units) => units.has(unit)) ?? new Map([[unit, [1n, 1n]]]);
    const isShare = unit === "" && value.includes("/");
    const scaleOf = (written) => {
      if (written === "" || named(written) === unit) return [1n, 1n];
      if (written === "%" && isShare) return [1n, 100n];
      return kind.has(named(written)) && numbers.over(kind.get(named(written)), kind.get(unit));
    };
    return numbers.readings(text, scaleOf, letters[partOf({ at })]);
  };

  // Differences of long numbers are compared as they are, not in lowest terms.
  const fraction = (text) => {
    const [numerator, denominator = "1"] = text.split("/");
    return [BigInt(numerator), BigInt(denominator)];
  };
  const minus = ([a, b], [c, d]) => [a * d - c * b, b * d];
  const times = ([a, b], [c, d]) => [a * c, b * d];
  const atMost = ([a, b], [c, d]) => a * d <= c * b;

  const apart = (own, other) => numbers.size(minus(own.number, other));
  const near = (own, other) => atMost(times(apart(own, other), [100n, 1n]), numbers.size(other));
  const fits = (own, other) => apart(own, other)[0] === 0n || (atMost(apart(own, other), own.half) && near(own, other));
  const slipsOf = (own, one) => [...one.slips, ...one.others].filter(([other]) => fits(own, fraction(other))).flatMap(([, ...words]) => words);

  // Two slips at once: one that scales the whole number, and another that changes something else.
  const pairsOf = (own, one) => {
    const all = one.slips.flatMap(([other, ...words]) => words.map((word) => [fraction(other), word]));
    const [top, bottom] = fraction(one.value);
    const found = new Map();
    for (const [scaled, word] of all.filter(([, own]) => own in scaling)) {
      for (const [other, second] of all) {
        if (scaling[second] === scaling[word] || second.startsWith("of bytes for each")) continue;
        if (!(second in scaling) && second.includes(" in place of ")) continue; // many letters happen to differ by such a factor
        const [a, b] = times(times(scaled, other), [bottom, top]);
        const said = [second, word].sort((one, next) => one.startsWith("with") - next.startsWith("with")).join(" and ");
        if (top && fits(own, b < 0n ? [-a, -b] : [a, b])) found.set([word, second].sort().join(), said);
      }
    }
    return [...found.values()];
  };

  // Letters in the place of others are a cause only where no other is known: many give the same number by chance.
  const isSwap = (word) => / in place of /.test(word) && !/^with [kMGT]B/.test(word);
  const likely = (words) => (words.some((word) => !isSwap(word)) ? words.filter((word) => !isSwap(word)) : words);
  const timesThousand = (own, value) => [1000n, 1000000n, 1000000000n].flatMap((factor) =>
    [["larger", [1n, factor]], ["smaller", [factor, 1n]]].map(([word, scale]) => [word, factor, scale]))
    .find(([, , scale]) => own.digits > 1 && atMost(numbers.size(minus(times(own.number, scale), value)), times(own.half, scale)));

  const MOST = 3, MOST_LETTERS = 6; // reasons that a reader is given, and letters that are named
  const saidOfRow = (text, { row, columns, slips }) => {
    const own = text.replace(/[\s,;.|[\](){}]/g, "");
    if (!/^[01]+$/.test(own)) return "This is not read as a row. Write its ones and zeros, as 1 0 1.";
    if (own.length !== row.length) return `A row of this mask has ${row.length} entries, and this one has ${own.length}.`;
    if (own === row) return "The same.";
    const [, ...reasons] = slips.find(([other]) => other === own) ?? [];
    if (reasons.length) return `This is the row ${reasons.slice(0, MOST).join(", or ")}.`;
    return `Another row, and none of the slips that this page knows. It differs at ${columns.filter((_, place) => own[place] !== row[place]).join(", ")}.`;
  };
  // A number that stands elsewhere on the page; small whole numbers and those of one digit stand there by chance.
  const elsewhere = (own, one) => {
    const isLong = own.digits > (own.number[1] === 1n ? 2 : 1);
    const found = isLong ? more.filter(([other]) => fits(own, fraction(other))) : [];
    return found.map(([, name, part]) => place(name, part, one));
  };
  const ONE_DIGIT = "The same to the one digit given. More digits say more.";
  const verdict = (own, one) => {
    const value = fraction(one.value);
    if (apart(own, value)[0] === 0n) return "The same.";
    const exact = one.slips.some(([other]) => apart(own, fraction(other))[0] === 0n);
    const slips = likely(slipsOf(own, one));
    const pairs = near(own, value) ? [] : pairsOf(own, one);
    const reasons = (slips.length ? slips : [...elsewhere(own, one), ...pairs]).slice(0, MOST).join(", or ");
    const same = fits(own, value) ? "The same, rounded." : own.digits > 1 ? "The same to the digits given." : ONE_DIGIT;
    if (fits(own, value) || (atMost(apart(own, value), own.half) && (own.digits > 1 || !exact))) {
      return exact ? `${same} It is also the number ${reasons}.` : same;
    }
    const scaled = timesThousand(own, value);
    if (scaled && slips.every(isSwap)) return `The same digits, but ${scaled[1]} times ${scaled[0]}.`;
    if (reasons) return `This is the number ${reasons}.`;
    if (near(own, value)) return "Less than 1 % away, but not the same. Rounding on the way, or a count that is off by one, may be why.";
    return "Another number, and none of the slips that this page knows.";
  };
  // The value of a formula: a whole number that is not too long, else six digits.
  const worth = ([a, b]) => {
    if (b === 1n && a.toString().length < 16) return a.toLocaleString("fr").replace("-", "\u2212");
    return `about ${Number((Number(a * 10n ** 20n / b) / 1e20).toPrecision(6))}`.replace("e+", "e").replace("-", "\u2212");
  };
  const said = (text, one) => {
    if (!text.trim()) return "";
    if (one.row) return saidOfRow(text, one);
    const value = fraction(one.value);
    const all = readingsOf(text, one);
    const own = all.find((each) => fits(each, value)) ?? all.find((each) => slipsOf(each, one).length)
      ?? all.find((each) => pairsOf(each, one).length) ?? all[0];
    const known = Object.keys(letters[partOf(one)] ?? {});
    if (!own) {
      const inLetters = known.length ? `, or as a formula in ${known.slice(0, MOST_LETTERS).join(", ")}` : "";
      return `This is not read as a number${one.unit && ` in ${one.unit}`}. Write it in digits, as 12.5, 4/3 or 1.2e9${inLetters}.`;
    }
    const given = own.isFormula ? `${own.isInLetters ? "With the page's numbers this is" : "This is"} ${worth(own.number)}${one.unit && ` ${one.unit}`}. ` : "";
    return given + verdict(own, one);
  };

  for (const box of document.querySelectorAll(".answer")) {
    const nodes = [...box.querySelectorAll("[data-nodes]")].map((element) => JSON.parse(element.dataset.nodes).of);
    const within = new Set([...nodes, ...[...box.querySelectorAll("[id]")].map((element) => element.id)]);
    const own = boxed.filter(({ at }) => within.has(at) || within.has(at.split("/").slice(0, 2).join("/")));
    if (!own.length) continue;
    const choice = made("select", {}, ...own.map(({ name, unit }, place) => new Option(unit ? `${name} (${unit})` : name, place)));
    const entry = made("input", { type: "text", autocomplete: "off", spellcheck: false });
    const result = made("output");
    const label = made("span");
    const tell = () => {
      label.textContent = own[choice.value].row ? "Your row " : "Your number ";
      result.textContent = said(entry.value, own[choice.value]);
    };
    choice.addEventListener("change", tell);
    entry.addEventListener("input", tell);
    const what = own.some(({ row }) => !row) ? "number" : "row";
    const form = made("p", {}, made("label", {}, "Which value ", choice), " ", made("label", {}, label, entry));
    tell();
    box.append(made("details", { className: "compare" }, made("summary", {}, `Why is my ${what} different?`), form, made("p", {}, result)));
  }
})();
