// Tells a reader what a number of their own has to do with a boxed one. All it knows stands in the page.
(() => {
  const data = document.querySelector("[data-boxed]");
  if (!data) return;
  const boxed = JSON.parse(data.dataset.boxed);

  const SCALES = Object.entries({ k: 1, M: 2, G: 3, T: 4, P: 5 });
  const scalesOf = (unit) => {
    const scales = { "": 1n, [unit]: 1n };
    if (unit === "B") for (const [letter, power] of SCALES) scales[`${letter === "k" ? "K" : letter}iB`] = 1024n ** BigInt(power);
    if (unit === "B" || unit === "FLOP") for (const [letter, power] of SCALES) scales[letter + unit] = 1000n ** BigInt(power);
    return scales;
  };

  // Fractions are pairs of whole numbers, numerator and denominator, the latter above zero.
  const fraction = (text) => {
    const [numerator, denominator = "1"] = text.split("/");
    return [BigInt(numerator), BigInt(denominator)];
  };
  const minus = ([a, b], [c, d]) => [a * d - c * b, b * d];
  const times = ([a, b], [c, d]) => [a * c, b * d];
  const size = ([a, b]) => [a < 0n ? -a : a, b];
  const atMost = ([a, b], [c, d]) => a * d <= c * b;

  const NUMBER = /^([+-]?)(\d*)(?:\.(\d*))?(?:e([+-]?\d{1,3}))?(?:\/(\d+))?([A-Za-z%/]*)$/;
  // A number as typed, and half a unit of its last digit; null where it is none.
  const typed = (text, unit) => {
    let plain = text.replace(/[\s\u2009\u202f_]/g, "").replace(/\u2212/g, "-").replace(/[×x*·]10\^?|E/g, "e");
    plain = /^[+-]?\d{1,3}(,\d{3})+(?!\d)/.test(plain) ? plain.replace(/,/g, "") : plain.replace(",", ".");
    const [, sign, whole, decimals = "", exponent = "0", denominator = "1", suffix] = NUMBER.exec(plain) ?? [];
    const scale = scalesOf(unit)[suffix];
    if (!(whole || decimals) || scale === undefined || BigInt(denominator) === 0n) return null;
    const power = Number(exponent) - decimals.length;
    const unitOfLast = power < 0 ? [scale, 10n ** BigInt(-power)] : [scale * 10n ** BigInt(power), 1n];
    const digits = BigInt((sign === "-" ? "-" : "") + (whole + decimals || "0"));
    const exact = denominator !== "1";
    return {
      number: times([digits, BigInt(denominator)], unitOfLast),
      half: exact ? [0n, 1n] : times([1n, 2n], unitOfLast),
    };
  };

  // Whether a typed number is another as far as its digits go, to a hundredth of it at least.
  const fits = ({ number, half }, other) => {
    const apart = size(minus(number, other));
    return apart[0] === 0n || (atMost(apart, half) && atMost(times(apart, [100n, 1n]), size(other)));
  };

  const said = (text, one) => {
    if (!text.trim()) return "";
    const own = typed(text, one.unit);
    if (!own) return "This is not read as a number. Write it as 1365.33, 4096/3 or 1.37e3.";
    const value = fraction(one.value);
    if (fits(own, value)) return minus(own.number, value)[0] === 0n ? "The same." : "The same, rounded.";
    const slips = one.slips.filter(([number]) => fits(own, fraction(number))).flatMap(([, ...words]) => words);
    if (slips.length) return `This is the number ${slips.join(", or ")}.`;
    const apart = size(minus(own.number, value));
    if (atMost(times(apart, [100n, 1n]), size(value))) return "Less than 1 % away. Numbers that were rounded on the way may differ so.";
    return "Another number, and none of the slips that this page knows.";
  };

  const made = (name, properties = {}, ...children) => {
    const element = Object.assign(document.createElement(name), properties);
    element.append(...children);
    return element;
  };

  for (const box of document.querySelectorAll(".answer")) {
    const within = new Set([...box.querySelectorAll("[id]")].map((element) => element.id));
    const own = boxed.filter(({ at }) => within.has(at) || within.has(at.split("/").slice(0, 2).join("/")));
    if (!own.length) continue;
    const choice = made("select", {}, ...own.map(({ name, unit }, place) => new Option(unit ? `${name} (${unit})` : name, place)));
    const entry = made("input", { type: "text", autocomplete: "off", spellcheck: false });
    const result = made("output");
    const tell = () => { result.textContent = said(entry.value, own[choice.value]); };
    choice.addEventListener("change", tell);
    entry.addEventListener("input", tell);
    const form = made("p", {}, made("label", {}, "Which value ", choice), " ", made("label", {}, "Your number ", entry));
    box.append(made("details", { className: "compare" }, made("summary", {}, "Why is my number different?"), form, made("p", {}, result)));
  }
})();
