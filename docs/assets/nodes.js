// Points at a node in all pictures and tables of a page at once, and shows a search a step at a time.
(() => {
  const article = document.querySelector("article");
  const markRows = (name, of, nodes, after) => {
    for (const one of article.querySelectorAll("tr[data-node]")) {
      const follows = !after || after.compareDocumentPosition(one) & Node.DOCUMENT_POSITION_FOLLOWING;
      one.classList.toggle(name, Boolean(follows) && one.dataset.of === of && nodes.includes(one.dataset.node));
    }
  };

  // In a mask a node is a row and a column; a square there belongs to the row of one node and to the column of another.
  let pointed = "";
  const point = (of, places) => {
    const nodes = [...new Set(places.map((one) => one.dataset.node))];
    if (pointed === (pointed = [of, ...nodes].join(" "))) return;
    for (const one of article.querySelectorAll(".node")) {
      const isOther = nodes.length > 1 && one.parentElement === places[0].parentElement && !places.includes(one);
      one.classList.toggle("pointed", one.dataset.of === of && nodes.includes(one.dataset.node) && !isOther);
    }
    markRows("pointed", of, nodes);
  };
  const pointAt = (event) => {
    const row = event.target.closest("tr[data-node]");
    const found = row ? [row] : document.elementsFromPoint(event.clientX, event.clientY).filter((one) => one.matches(".node"));
    const focused = document.activeElement.matches(".node") ? [document.activeElement] : [];
    const places = found.length ? found : focused;
    point(places[0]?.dataset.of ?? "", places);
  };
  article.addEventListener("pointermove", pointAt);
  article.addEventListener("pointerdown", pointAt);
  article.addEventListener("pointerleave", (event) => {
    if (event.pointerType === "mouse") pointAt(event);
  });
  article.addEventListener("focusin", ({ target }) => {
    if (target.matches(".node")) point(target.dataset.of, [target]);
  });
  article.addEventListener("focusout", () => point("", []));

  // One stop for the keyboard in each picture; arrows go on to the nearest node on that side.
  const SIDES = { ArrowRight: [1, 0], ArrowDown: [0, 1], ArrowLeft: [-1, 0], ArrowUp: [0, -1] };
  const move = (event) => {
    if (!(event.key in SIDES)) return;
    event.preventDefault();
    const middle = (one) => [one.offsetLeft + one.offsetWidth / 2, one.offsetTop + one.offsetHeight / 2];
    const [[right, down], [x, y]] = [SIDES[event.key], middle(event.target)];
    const away = (one) => {
      const [ahead, aside] = [[right, down], [down, right]].map(([a, b]) => (middle(one)[0] - x) * a + (middle(one)[1] - y) * b);
      return ahead > 1 ? ahead + 2 * Math.abs(aside) : Infinity;
    };
    const all = [...event.currentTarget.querySelectorAll("button:not([hidden])")];
    const next = all.reduce((one, other) => (away(other) < away(one) ? other : one));
    if (away(next) === Infinity) return;
    all.forEach((one) => { one.tabIndex = one === next ? 0 : -1; });
    next.focus();
  };
  const over = (of, places, images) => {
    const frame = made("span", { className: `nodes ${images[0].classList[1] ?? ""}` });
    images[0].before(frame);
    frame.append(...images);
    let first = true;
    for (const [node, [text, ...boxes]] of Object.entries(places)) {
      for (const [left, top, width, height] of boxes) {
        const one = made(boxes.length === 1 ? "button" : "span", { className: "node" });
        Object.assign(one.dataset, { of, node });
        Object.assign(one.style, { left: `${left}%`, top: `${top}%`, width: `${width}%`, height: `${height}%` });
        if (one.matches("button")) {
          Object.assign(one, { type: "button", ariaLabel: text, tabIndex: first ? 0 : -1 });
          one.addEventListener("click", () => one.focus()); // not every browser does
          first = false;
        }
        frame.append(one);
      }
    }
    frame.addEventListener("keydown", move);
  };
  const imagesOf = (figure, form) =>
    [...figure.querySelectorAll("img")].filter((one) => one.classList.contains("tall") === (form === "tall"));

  const stepping = (figure, { of, places, steps }) => {
    const range = made("input", { type: "range", min: 1, max: steps.length, value: steps.length });
    const said = made("output", {}, steps.at(-1)[0]);
    const show = () => {
      const [shown, hidden] = [steps.slice(0, range.value), steps.slice(range.value)].map((some) => some.flatMap(([, nodes]) => nodes));
      for (const [form, boxes] of Object.entries(places)) {
        const box = (node) => boxes[node][1];
        const ends = shown.map(box).map(([left, top, width, height]) => [left + width, top + height]);
        const [next] = hidden.map(box);
        const isDown = next && ends.every(([, bottom]) => bottom <= next[1]);
        const rest = 99.9 - Math.max(...ends.map(([right, bottom]) => isDown ? bottom : right));
        const clip = !next ? "" : isDown ? `inset(0 0 ${rest}% 0)` : `inset(0 ${rest}% 0 0)`;
        for (const image of imagesOf(figure, form)) image.style.clipPath = clip;
      }
      for (const frame of figure.querySelectorAll(".nodes")) {
        [...frame.querySelectorAll(".node")].forEach((one, order) => {
          one.hidden = hidden.includes(one.dataset.node);
          one.tabIndex = order ? -1 : 0; // the stop may be hidden now; the first node never is
        });
      }
      const [words, nodes] = steps[range.value - 1];
      said.textContent = words;
      markRows("of-step", of, hidden.length ? nodes : [], figure);
    };
    range.addEventListener("input", show);
    const label = made("label", {}, `Step through the ${steps.length} steps of the search `, range);
    figure.querySelector(".frame").before(made("div", { className: "steps" }, label, said));
  };

  const setUp = () => {
    pointed = "";
    for (const one of article.querySelectorAll(".pointed")) one.classList.remove("pointed");
    const markers = [...article.querySelectorAll("[data-nodes]")];
    for (const marker of markers) {
      const figure = marker.previousElementSibling;
      if (figure.querySelector(".nodes")) continue;
      const facts = JSON.parse(marker.dataset.nodes);
      for (const [form, places] of Object.entries(facts.places)) over(facts.of, places, imagesOf(figure, form));
      for (const one of article.querySelectorAll("td [id*='/']")) { // part/table/row/column
        const node = one.id.split("/")[2];
        if (Object.hasOwn(facts.places.wide, node)) Object.assign(one.closest("tr").dataset, { of: facts.of, node });
      }
      if (facts.steps.length > 1) stepping(figure, facts);
    }
    const caption = markers[0].previousElementSibling.querySelector("figcaption");
    const inAll = `Point at a node to see it in ${markers.length > 1 ? "all pictures of its tree" : "the tables too"}.`;
    if (!caption.querySelector(".hint")) caption.append(made("span", { className: "hint" }, ` ${inAll}`));
  };
  setUp();
  document.addEventListener("another-page", setUp);
})();
