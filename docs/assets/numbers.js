// Fractions of any size, and what people type read as one, for the scripts of a question's page.
window.numbers = (() => {
  // Fractions are pairs of whole numbers in lowest terms, the denominator above zero.
  const MOST_BITS = 20000; // a longer number is given up
  const divisor = (a, b) => { while (b) [a, b] = [b, a % b]; return a < 0n ? -a : a; };
  const bits = (a) => (a < 0n ? -a : a).toString(16).length * 4;
  const fraction = (a, b = 1n) => {
    if (b === 0n || bits(a) + bits(b) > MOST_BITS) throw RangeError();
    const common = divisor(a, b) * (b < 0n ? -1n : 1n);
    return [a / common, b / common];
  };
  const read = (text) => {
    const [whole, denominator = "1"] = text.split("/");
    return fraction(BigInt(whole), BigInt(denominator));
  };
  const less = ([a, b], [c, d]) => a * d < c * b;
  const same = ([a, b], [c, d]) => a === c && b === d;
  const size = ([a, b]) => [a < 0n ? -a : a, b];
  const plus = ([a, b], [c, d]) => fraction(a * d + c * b, b * d);
  const minus = ([a, b], [c, d]) => fraction(a * d - c * b, b * d);
  const times = ([a, b], [c, d]) => fraction(a * c, b * d);
  const over = ([a, b], [c, d]) => fraction(a * d, b * c);
  const power = ([a, b], [n, one]) => {
    if (one !== 1n || bits(n) > 16 || (bits(a) + bits(b)) * Math.abs(Number(n)) > MOST_BITS) throw RangeError();
    return n < 0n ? fraction(b ** -n, a ** -n) : fraction(a ** n, b ** n);
  };
  const scaled = ([a, b], power10) => (power10 < 0 ? [a, b * 10n ** BigInt(-power10)] : [a * 10n ** BigInt(power10), b]);

  // A number in digits, with its unit, and half a unit of its last digit; null where it is none. `scaleOf` gives what a unit
  // stands for. Zeros behind three other digits of a whole number may be rounded ones.
  const NUMBER = /^([-+]?)(\d*)(?:\.(\d*))?(?:e([-+]?\d{1,3}))?(?:\/(\d+))?(\D*)$/i;
  const ROUNDED = /^\d{2,}[1-9](0+)$/;
  const inDigits = (plain, scaleOf) => {
    const [, sign, whole, decimals, exponent = "0", denominator = "1", unit] = NUMBER.exec(plain) ?? [];
    const scale = (whole || decimals) && BigInt(denominator) && scaleOf(unit);
    if (!scale) return null;
    const written = whole + (decimals ?? "");
    const zeros = decimals === undefined ? (ROUNDED.exec(whole)?.[1].length ?? 0) : 0;
    const power10 = Number(exponent) - (decimals ?? "").length;
    const digits = scaled([BigInt((sign === "-" ? "-" : "") + written), BigInt(denominator)], power10);
    const number = times(scale, fraction(...digits));
    const isExact = denominator !== "1";
    const half = isExact ? halfOf(number, SHOWN) : times(scale, fraction(...scaled([1n, 2n], power10 + zeros)));
    return { number, half, unit, isExact, digits: written.replace(/^0+/, "").length - zeros };
  };
  // Half a unit of the last of some digits; a whole number is exact.
  const SHOWN = 6, ROUNDED_FROM = 4; // digits that pages show, and those from which a decimal of a formula may be a rounded one
  const halfOf = (number, digits) => (number[1] === 1n ? [0n, 1n] : times(size(number), fraction(1n, 2n * 10n ** BigInt(digits - 1))));

  // The value of sums, products and powers of numbers and letters, as 2 n d^2; a SyntaxError where it is none.
  const valueOf = (text, letters, used = new Set()) => {
    const known = withOtherSpellings(letters);
    const names = [...known.keys()].sort((one, other) => other.length - one.length);
    let rest = text;
    const take = (token) => {
      if (!rest.startsWith(token)) return false;
      rest = rest.slice(token.length);
      return true;
    };
    const atom = () => {
      if (take("(")) {
        const inner = sum();
        if (!take(")")) throw SyntaxError();
        return inner;
      }
      const [digits] = /^(\d+(\.\d*)?|\.\d+)(e[-+]?\d{1,3}(?!\d))?/i.exec(rest) ?? [];
      if (digits && take(digits)) return inDigits(digits, () => [1n, 1n]).number;
      const name = names.find(take);
      if (!name) throw SyntaxError();
      used.add(known.get(name));
      return read(letters[known.get(name)]);
    };
    const raised = () => {
      const base = atom();
      return take("^") ? power(base, signed()) : base;
    };
    const signed = () => (take("-") ? minus([0n, 1n], signed()) : take("+") ? signed() : raised());
    const product = () => {
      let value = signed();
      for (;;) {
        if (take("*")) value = times(value, signed());
        else if (take("/")) value = over(value, signed());
        else if (!rest || /^[-+)\d.]/.test(rest)) return value;
        else value = times(value, raised());
      }
    };
    const sum = () => {
      let value = product();
      for (;;) {
        if (take("+")) value = plus(value, product());
        else if (take("-")) value = minus(value, product());
        else return value;
      }
    };
    const value = sum();
    if (rest) throw SyntaxError();
    return value;
  };
  // Names of letters by their spellings: also as small or capital ones and without a low line, where that is no other's name.
  const withOtherSpellings = (letters) => {
    const names = Object.keys(letters), known = new Map(names.map((name) => [name, name]));
    for (const spelled of [(name) => name.replaceAll("_", ""), (name) => name.toLowerCase(), (name) => name.toUpperCase()]) {
      for (const name of names) {
        const isOne = names.filter((other) => spelled(other) === spelled(name)).length === 1;
        if (isOne && !known.has(spelled(name))) known.set(spelled(name), name);
      }
    }
    return known;
  };
  // A unit may be a letter's name, too: it is the unit where it stands apart.
  const inLetters = (text, scaleOf, letters, apart) => {
    const [end] = /[A-Za-zµ%/]*$/.exec(text);
    const units = [...end].map((_, place) => end.slice(place));
    const unit = units.find((one) => scaleOf(one) && (one === apart || !Object.hasOwn(letters, one))) ?? "";
    const formula = text.slice(0, text.length - unit.length), used = new Set();
    const at = (others) => times(valueOf(formula, others, used), scaleOf(unit));
    const decimals = [...formula.matchAll(/\d*\.\d*/g)].map(([one]) => one.replace(/^[0.]*/, "").replace(".", "").length);
    const digits = Math.min(SHOWN, ...decimals.filter((count) => count >= ROUNDED_FROM));
    try {
      const number = at(letters);
      const isExact = digits === SHOWN;
      return { number, half: halfOf(number, digits), unit, isExact, digits: Infinity, isFormula: true, used: [...used], at };
    } catch (error) {
      if (error instanceof RangeError) return { isUnworkable: true };
      if (error instanceof SyntaxError) return null;
      throw error;
    }
  };

  const GROUPED = /(?<![\d.,])[1-9]\d{0,2}(,\d{3})+(?![\d,])/g;
  const SPELLED = [
    [/^[\u2248~=]\s*/, ""], [/(\d)[\s\u2009\u202f_](?=\d{3}(?!\d))/g, "$1"], [/\u2212/g, "-"],
    [/\*\*/g, "^"], [/\\(cdot|times)|[×·∙⋅]|(?<=[\d)]\s*)x(?=\s*[\d(])/g, "*"], [/²/g, "^2"], [/³/g, "^3"],
    [/_\{(\w+)\}/g, "_$1"], [/\{/g, "("], [/\}/g, ")"], [/[α-ω]/g, (letter) => GREEK[letter] ?? letter],
    [/(?<=[A-Za-z)])\s+(?=[\d.])/g, "*"],
    [/^([-+]?)(\d+)\s+(\d+\s*\/\s*\d+)(?=\D*$)/, "$1($2+$3)"], // as 1365 1/3
  ];
  const GREEK = { α: "alpha", β: "beta", γ: "gamma", η: "eta", λ: "lambda", ρ: "rho", σ: "sigma", τ: "tau", ω: "omega", μ: "µ" };
  // What was typed, in every way in which it may be read: a comma may stand between thousands or before decimals.
  const readings = (text, scaleOf, letters = {}) => {
    if (text.length > 80) return [];
    const joined = SPELLED.reduce((one, [pattern, sign]) => one.replace(pattern, sign), text.trim());
    if (/\d\s+[\d.]/.test(joined)) return [];
    const [, apart] = /\s([A-Za-zµ%/]+)$/.exec(joined) ?? [];
    const plain = joined.replace(/\s/g, "").replace(/^([-+]?[\d.,]+)\*10\^([-+]?\d{1,3}\D*)$/, "$1e$2");
    const without = plain.replace(GROUPED, (digits) => digits.replace(/,/g, ""));
    return [...new Set([without, plain.replace(/,/g, ".")])].map((one) => inDigits(one, scaleOf) ?? inLetters(one, scaleOf, letters, apart))
      .filter((one) => one);
  };
  return { bits, fraction, read, less, same, size, plus, minus, times, over, power, scaled, valueOf, readings };
})();
