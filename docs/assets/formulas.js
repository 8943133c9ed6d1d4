// What two formulas have to do with each other, whatever numbers their letters stand for.
window.relation = (() => {
  // Letters stand for primes in turn, so that the powers of each letter in a product can be read off.
  const PRIMES = Array.from({ length: 500 }, (_, n) => n + 101).filter((n) => ![2, 3, 5, 7, 11, 13, 17, 19, 23].some((p) => n % p === 0));
  const power = ([a, b], prime) => {
    if (a % prime === 0n) return 1 + power([a / prime, b], prime);
    return b % prime === 0n ? power([a, b / prime], prime) - 1 : 0;
  };
  // A factor and powers of letters, where a number is their product in two worlds; else null.
  const product = (numbersOf, worlds) => {
    if (numbersOf.some(([top]) => top === 0n)) return null;
    const powers = Object.entries(worlds[0]).map(([name, prime]) => [name, power(numbersOf[0], BigInt(prime))]).filter(([, one]) => one);
    const [factor, other] = numbersOf.map((number, place) => powers.reduce((left, [name, one]) =>
      numbers.over(left, numbers.power([BigInt(worlds[place][name]), 1n], [BigInt(one), 1n])), number));
    const isShort = factor.every((part) => part.toString().length < 13);
    return isShort && numbers.same(factor, other) ? { factor, powers } : null;
  };
  const written = ({ factor, powers }) => {
    const [top, bottom] = [1, -1].map((sign, place) => [
      ...(factor[place] === 1n ? [] : [`${factor[place]}`]),
      ...powers.filter(([, one]) => one * sign > 0).map(([name, one]) => (one * sign === 1 ? name : `${name}^${one * sign}`)),
    ]);
    return `${top.join(" ") || "1"}${bottom.length ? ` / ${bottom.length > 1 ? `(${bottom.join(" ")})` : bottom[0]}` : ""}`;
  };
  // `at` gives a formula's value for numbers of its letters. The answer says that it is the `same`, the other `times` a product or
  // a `factor`, the other and a `rest`, or none of these; null where numbers are too long.
  return (at, other, names) => {
    const worldOf = (primes) => Object.fromEntries(names.map((name, place) => [name, `${primes[place]}`]));
    const worlds = [PRIMES, PRIMES.slice(names.length, 2 * names.length).reverse()].map(worldOf); // with other gaps between the primes
    try {
      const pairs = worlds.map((world) => [at(world), numbers.valueOf(other, world)]);
      if (pairs.every(([one, two]) => numbers.same(one, two))) return { same: true };
      const ratio = product(pairs.map(([one, two]) => numbers.over(one, two)), worlds);
      if (ratio) return ratio.powers.length ? { times: written(ratio) } : { factor: ratio.factor };
      const rest = product(pairs.map(([one, two]) => numbers.minus(one, two)), worlds);
      const sign = rest && rest.factor[0] < 0n ? "minus" : "plus";
      return rest ? { rest: `${sign} ${written({ ...rest, factor: numbers.size(rest.factor) })}` } : {};
    } catch (error) {
      if (error instanceof RangeError) return null;
      throw error;
    }
  };
})();
