// Tells a reader what a number of their own has to do with a boxed one. All it knows stands in the page.
(() => {
  const data = document.querySelector("[data-boxed]");
  if (!data) return;
  const { numbers: asked, rows, more, letters, parts, scaling } = JSON.parse(data.dataset.boxed);
  const boxed = [...asked, ...rows];
  const partOf = ({ at }) => at.split("/")[0];
  const place = (name, part, { at }) => `of “${name}”${part === partOf({ at }) || !parts[part] ? "" : ` in ${parts[part]}`}`;
  for (const one of asked) { // the number of another box, or of another place in the same one
    const others = asked.filter((other) => other !== one && other.unit === one.unit && other.value !== one.value);
    one.others = others.map((other) => [other.value, place(other.name, partOf(other), one), partOf(other) === partOf(one)]);
  }

  // Units that a reader may write in the place of a number's own, each as so many of one of its kind.
  const PREFIXES = ["", "k", "M", "G", "T", "P"];
  const decimal = (unit) => PREFIXES.map((prefix, place) => [prefix + unit, [1000n ** BigInt(place), 1n]]);
  const binary = PREFIXES.slice(1).map((prefix, place) => [`${prefix.toUpperCase()}iB`, [1024n ** BigInt(place + 1), 1n]]);
  const seconds = [["s", [1n, 1n]], ["ms", [1n, 1000n]], ["µs", [1n, 1000000n]], ["us", [1n, 1000000n]], ["ns", [1n, 1000000000n]]];
  const KINDS = [[...decimal("B"), ...binary], decimal("FLOP"), seconds].map((units) => new Map(units));
  const named = (unit) => unit.replace(/flops?/i, "FLOP").replace(/bytes?/i, "B").replace(/^KB$/, "kB").replace("percent", "%");
  const kindOf = (unit) => KINDS.find((units) => units.has(unit)) ?? new Map([[unit, [1n, 1n]]]);
  const COUNTS = { k: 1000n, thousand: 1000n, M: 10n ** 6n, million: 10n ** 6n, G: 10n ** 9n, billion: 10n ** 9n, trillion: 10n ** 12n };
  // What a unit that is written stands for in a number's own unit; a number without a unit may stand before a word of its name, as
  // in 30 scores.
  const scaleIn = (written, { unit, value, name }) => {
    const own = named(written), isCount = unit === "";
    if (own === "" || own === unit || (isCount && (own === "x" || (own.length > 3 && name.includes(own.replace(/s$/, "")))))) return [1n, 1n];
    if (isCount && Object.hasOwn(COUNTS, own)) return [COUNTS[own], 1n];
    if (own === "%" && isCount && value.includes("/")) return [1n, 100n];
    return kindOf(unit).has(own) && numbers.over(kindOf(unit).get(own), kindOf(unit).get(unit));
  };
  const readingsOf = (text, one) => numbers.readings(text, (written) => scaleIn(written, one), letters[partOf(one)])
    .flatMap((own) => (own.isFormula && one.unit === "%" && own.unit === "" ? [inPerCent(own), own] : [own]));
  const inPerCent = (own) => {
    const hundred = (number) => numbers.times(number, [100n, 1n]);
    return { ...own, number: hundred(own.number), half: hundred(own.half), at: (world) => hundred(own.at(world)) };
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
  const isRounded = (own, other) => atMost(apart(own, other), own.half) && near(own, other);
  // Of three digits or more some may have been cut off.
  const isCut = (own, other) => own.digits >= 3 && !own.isFormula && !own.isExact && atMost(numbers.size(own.number), numbers.size(other)) && near(own, other)
    && !atMost(times(own.half, [2n, 1n]), apart(own, other));
  const isSame = (own, other) => apart(own, other)[0] === 0n;
  const fits = (own, other) => isSame(own, other) || isRounded(own, other) || isCut(own, other);
  // Small whole numbers stand at many places.
  const isTelling = ({ number, digits }) => digits > (number[1] === 1n ? 2 : 1);
  // Slips that give a number, and other places in boxes where it stands.
  const slipsOf = (own, one) => one.slips.filter(([other]) => fits(own, fraction(other))).flatMap(([, ...words]) => words)
    .filter((word) => !(own.unit.endsWith("iB") && isOfUnit(word)));
  const placesOf = (own, one) => one.others
    .filter(([other, , isNear]) => (isTelling(own) ? fits(own, fraction(other)) : isNear && isSame(own, fraction(other))))
    .map(([, word]) => word);
  const isOfUnit = (word) => /^with [kMGT]B in place of/.test(word);

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

  // Letters in the place of others are a cause only where no slip is known: many give the same number by chance.
  const isSwap = (word) => word.includes(" in place of ") && !isOfUnit(word);
  const likely = (own, one) => {
    const slips = slipsOf(own, one), known = slips.filter((word) => !isSwap(word)), places = placesOf(own, one);
    if (known.length) return [...known, ...places];
    const ratio = simpleRatio(own, fraction(one.value));
    return [...places.slice(0, MOST - 1), ...(ratio ? [] : slips.slice(0, places.length ? 1 : MOST))];
  };
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
  // A number that stands elsewhere on the page.
  const elsewhere = (own, one) => more
    .filter(([other]) => (isTelling(own) ? fits(own, fraction(other)) : own.number[1] !== 1n && isSame(own, fraction(other))))
    .map(([, name, part]) => place(name, part, one));
  // The unit with which a number that was written without one fits.
  const missingUnit = (own, { unit, value }) => own.unit === "" && own.digits > 1 && [...kindOf(unit)].find(([name, scale]) => {
    const [factor, half] = [numbers.over(scale, kindOf(unit).get(unit)), own.half];
    return name !== unit && fits({ ...own, number: numbers.times(own.number, factor), half: numbers.times(half, factor) }, fraction(value));
  })?.[0];
  // A ratio that is told in words, such as 3/2; else null.
  const simpleRatio = (own, value) => RATIOS.find(([a, b]) => value[0] && fits(own, times(value, [a, b])));
  const RATIOS = [2n, 3n, 4n, 8n, 16n].flatMap((a) => [[a, 1n], [1n, a]]).concat([[2n, 3n], [3n, 2n], [3n, 4n], [4n, 3n]]);
  const told = ([a, b]) => (b === 1n ? `${a} times` : `${a}/${b} of`);

  const TOO_FEW = "The one digit fits. More digits would tell more.";
  const verdict = (own, one) => {
    const value = fraction(one.value);
    if (isSame(own, value)) return "The same.";
    const isSlip = one.slips.some(([other]) => isSame(own, fraction(other)));
    const slips = likely(own, one);
    const reasons = (slips.length ? slips : [...elsewhere(own, one), ...(near(own, value) ? [] : pairsOf(own, one))]).slice(0, MOST).join(", or ");
    const isClose = atMost(apart(own, value), own.half);
    if (fits(own, value) || (isClose && (own.digits > 1 || !isSlip))) {
      if (own.isExact) return `Equal in six digits, but not the same.${isSlip ? ` It is the number ${reasons}.` : ""}`;
      const also = isSlip ? ` It is also the number ${reasons}.` : "";
      if (!fits(own, value)) return own.digits === 1 ? TOO_FEW : `The same to the digits given.${also}`;
      return (isClose ? "The same, rounded." : "The same, cut off.") + also;
    }
    const isKnown = slips.some((word) => !isSwap(word));
    const unit = isKnown ? null : missingUnit(own, one);
    if (unit) return `With the unit ${unit} it is the same. Without one it is read in ${one.unit}.`;
    const scaled = isKnown ? null : timesThousand(own, value);
    if (scaled) return `The same digits, but ${scaled[1]} times ${scaled[0]}.`;
    if (reasons) return `This is the number ${reasons}.`;
    const ratio = simpleRatio(own, value);
    if (ratio) return `This is ${told(ratio)} the answer. None of the slips that this page knows gives that.`;
    if (near(own, value)) return `Less than 1 % away, but not the same.${own.isExact ? "" : CLOSE}`;
    return "Another number, and none of the slips that this page knows.";
  };
  const CLOSE = " Rounding on the way, or a count that is off by one, may be why.";

  const OF_LETTERS = /^(without the factor|not divided by) \D|^of (one layer|\w+ layers)/; // no factor that stays for other numbers
  // What a formula that a reader wrote has to do with the box's own; null where that cannot be told.
  const ofFormula = (own, one) => {
    const found = relation(own.at, one.formula, Object.keys(letters[partOf(one)]));
    if (!found) return null;
    if (found.same) return "The same.";
    const begin = isSame(own, fraction(one.value)) ? "The same with these numbers only; with others it is" : "It is";
    if (found.times) return `${begin} the answer times ${found.times}.`;
    if (found.rest) return `${begin} the answer ${found.rest}.`;
    const known = slipsOf(own, one).filter((word) => !isSwap(word) && !OF_LETTERS.test(word));
    if (found.factor) return `${begin} ${told(found.factor)} the answer${known.length ? `: the number ${known.slice(0, MOST).join(", or ")}` : ""}.`;
    const reasons = [...known, ...placesOf(own, one)].slice(0, MOST).join(", or ");
    return `${begin} another formula.${reasons && ` With these numbers it gives the number ${reasons}, which may be chance.`}`;
  };

  // A value as it is where that is short, else with six digits.
  const worth = ([a, b]) => {
    const digits = a.toString().replace("-", "");
    if (b === 1n && digits.length < 16) return signed(a, digits.length > 4 ? digits.replace(/\B(?=(\d{3})+$)/g, "\u202f") : digits);
    const number = Math.abs(Number((Number(a * 10n ** 20n / b) / 1e20).toPrecision(6)));
    return `${10n ** 6n % b === 0n && digits.length < 7 ? "" : "about "}${signed(a, `${number}`.replace("e+", "e").replace("-", "\u2212"))}`;
  };
  const signed = (number, digits) => (number < 0n ? "\u2212" : "") + digits;
  // The numbers that the letters of a formula have, where these are few.
  const withLetters = ({ used }, known) => {
    if (used.length > MOST) return "With the page's numbers this is";
    return used.length ? `With ${used.map((name) => `${name} = ${worth(fraction(known[name]))}`).join(", ")} this is` : "This is";
  };
  const said = (text, one) => {
    if (!text.trim()) return "";
    if (one.row) return saidOfRow(text, one);
    const value = fraction(one.value), known = letters[partOf(one)] ?? {}, inUnit = one.unit && ` ${one.unit}`;
    const read = readingsOf(text, one), all = read.filter(({ isUnworkable }) => !isUnworkable);
    const own = all.find((each) => fits(each, value)) ?? all.find((each) => likely(each, one).length)
      ?? all.find((each) => pairsOf(each, one).length) ?? all[0];
    if (!own && read.length) return "This cannot be worked out: it is too long, divides by 0 or has a power that is no whole number.";
    if (!own) {
      const names = Object.keys(known).slice(0, MOST_LETTERS).join(", ");
      return `This is not read as a number${inUnit && ` in${inUnit}`}. Write it in digits, as 12.5, 4/3 or 1.2e9${names && `, or as a formula in ${names}`}.`;
    }
    if (!own.isFormula) return verdict(own, one);
    const told = (own.used.length && one.formula && ofFormula(own, one)) || verdict(own, one);
    return `${withLetters(own, known)} ${worth(own.number)}${inUnit}. ${told}`;
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
      label.textContent = own[choice.value].row ? "Your row " : own[choice.value].formula ? "Your number or formula " : "Your number ";
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
