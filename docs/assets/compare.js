// Tells a reader what a number of their own has to do with a boxed one. All it knows stands in the page.
(() => {
  const data = document.querySelector("[data-boxed]");
  if (!data) return;
  const { numbers: boxed, scaling } = JSON.parse(data.dataset.boxed);
  const partOf = ({ at }) => at.split("/")[0];
  for (const one of boxed.filter(({ row }) => !row)) { // the number of another box, or of another place in the same one
    const others = boxed.filter((other) => other !== one && other.unit === one.unit && other.value !== one.value);
    one.others = others.map((other) => [other.value, `of “${other.name}”${partOf(other) === partOf(one) ? "" : ` in ${partOf(other)}`}`]);
  }

  const PREFIXES = ["k", "M", "G", "T", "P"];
  const scalesOf = (unit) => {
    const scales = { "": 1n, [unit]: 1n };
    PREFIXES.forEach((prefix, place) => {
      if (unit === "B" || unit === "FLOP") scales[prefix + unit] = 1000n ** BigInt(place + 1);
      if (unit === "B") scales[`${prefix.toUpperCase()}iB`] = 1024n ** BigInt(place + 1);
    });
    return scales;
  };
  const unitOf = (suffix) => suffix.replace(/flops?/i, "FLOP").replace(/bytes?/i, "B").replace(/^KB$/, "kB");

  // Fractions are pairs of whole numbers, numerator and denominator, the latter above zero.
  const fraction = (text) => {
    const [numerator, denominator = "1"] = text.split("/");
    return [BigInt(numerator), BigInt(denominator)];
  };
  const minus = ([a, b], [c, d]) => [a * d - c * b, b * d];
  const times = ([a, b], [c, d]) => [a * c, b * d];
  const size = ([a, b]) => [a < 0n ? -a : a, b];
  const atMost = ([a, b], [c, d]) => a * d <= c * b;

  const NUMBER = /^([+-]?)(\d*)(?:\.(\d*))?(?:e([+-]?\d{1,3}))?(?:\/(\d+))?(\D*)$/;
  // A number without spaces and commas, and half a unit of its last digit; null where it is none.
  const number = (plain, unit) => {
    const [, sign, whole, decimals = "", exponent = "0", denominator = "1", written = ""] = NUMBER.exec(plain) ?? [];
    const isShare = written === "%" && unit === "", suffix = isShare ? "" : written; // 12 % for 0.12
    const scales = scalesOf(unit);
    if (!(whole || decimals) || !Object.hasOwn(scales, unitOf(suffix)) || BigInt(denominator) === 0n) return null;
    const scale = scales[unitOf(suffix)];
    const power = Number(exponent) - decimals.length - (isShare ? 2 : 0);
    const unitOfLast = power < 0 ? [scale, 10n ** BigInt(-power)] : [scale * 10n ** BigInt(power), 1n];
    const digits = BigInt((sign === "-" ? "-" : "") + whole + decimals);
    return {
      number: times([digits, BigInt(denominator)], unitOfLast),
      half: denominator === "1" ? times([1n, 2n], unitOfLast) : [0n, 1n],
      digits: (whole + decimals).replace(/^0+/, "").length,
    };
  };
  // What was typed, in every way in which it may be read: a comma may stand between thousands or before decimals.
  const readings = (text, unit) => {
    const joined = text.trim().replace(/^[\u2248~=]\s*/, "").replace(/(\d)[\s\u2009\u202f_](?=\d{3}(?!\d))/g, "$1");
    if (/\d\s+\d/.test(joined)) return [];
    const plain = joined.replace(/\s/g, "").replace(/\u2212/g, "-").replace(/[×x*·]10\^|E/g, "e");
    const grouped = /^[+-]?[1-9]\d{0,2}(,\d{3})+(?![\d,])/.test(plain) ? [plain.replace(/,/g, "")] : [];
    return [...grouped, plain.replace(",", ".")].map((one) => number(one, unit)).filter((one) => one);
  };

  const apart = (own, other) => size(minus(own.number, other));
  const near = (own, other) => atMost(times(apart(own, other), [100n, 1n]), size(other));
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
    .find(([, , scale]) => own.digits > 1 && atMost(size(minus(times(own.number, scale), value)), times(own.half, scale)));

  const MOST = 3; // reasons that a reader is given
  const saidOfRow = (text, { row, columns, slips }) => {
    const own = text.replace(/[\s,;.|[\](){}]/g, "");
    if (!/^[01]+$/.test(own)) return "This is not read as a row. Write its ones and zeros, as 1 0 1.";
    if (own.length !== row.length) return `A row of this mask has ${row.length} entries, and this one has ${own.length}.`;
    if (own === row) return "The same.";
    const [, ...reasons] = slips.find(([other]) => other === own) ?? [];
    if (reasons.length) return `This is the row ${reasons.slice(0, MOST).join(", or ")}.`;
    return `Another row, and none of the slips that this page knows. It differs at ${columns.filter((_, place) => own[place] !== row[place]).join(", ")}.`;
  };
  const ONE_DIGIT = "The same to the one digit given. More digits say more.";
  const said = (text, one) => {
    if (!text.trim()) return "";
    if (one.row) return saidOfRow(text, one);
    const value = fraction(one.value);
    const all = readings(text, one.unit);
    const own = all.find((each) => fits(each, value)) ?? all.find((each) => slipsOf(each, one).length)
      ?? all.find((each) => pairsOf(each, one).length) ?? all[0];
    if (!own) return `This is not read as a number${one.unit && ` in ${one.unit}`}. Write it in digits, as 12.5, 4/3 or 1.2e9, without a formula.`;
    if (apart(own, value)[0] === 0n) return "The same.";
    const exact = one.slips.some(([other]) => apart(own, fraction(other))[0] === 0n);
    const slips = likely(slipsOf(own, one));
    const reasons = slips.slice(0, MOST).join(", or ");
    const same = fits(own, value) ? "The same, rounded." : own.digits > 1 ? "The same to the digits given." : ONE_DIGIT;
    if (fits(own, value) || (atMost(apart(own, value), own.half) && (own.digits > 1 || !exact))) {
      return exact ? `${same} It is also the number ${reasons}.` : same;
    }
    const scaled = timesThousand(own, value);
    if (scaled && slips.every(isSwap)) return `The same digits, but ${scaled[1]} times ${scaled[0]}.`;
    if (slips.length) return `This is the number ${reasons}.`;
    if (near(own, value)) return "Less than 1 % away, but not the same. Rounding on the way, or a count that is off by one, may be why.";
    const pairs = pairsOf(own, one);
    if (pairs.length) return `This is the number ${pairs.slice(0, MOST).join(", or ")}.`;
    return "Another number, and none of the slips that this page knows.";
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
