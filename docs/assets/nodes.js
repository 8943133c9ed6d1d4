// Points at a node in all pictures and tables of a page at once, and shows a search a step at a time.
(() => {
  const made = (name, properties = {}, ...children) => {
    const element = Object.assign(document.createElement(name), properties);
    element.append(...children);
    return element;
  };
  const article = document.querySelector("article");
  const marked = (nodes, name, after) => {
    for (const one of article.querySelectorAll("tr[data-node]")) {
      const follows = !after || after.compareDocumentPosition(one) & Node.DOCUMENT_POSITION_FOLLOWING;
      one.classList.toggle(name, Boolean(follows) && nodes.includes(one.dataset.node));
    }
  };

  let pointed = "";
  const point = (of, nodes) => {
    if (pointed === (pointed = [of, ...nodes].join(" "))) return;
    for (const one of article.querySelectorAll(".node")) {
      one.classList.toggle("pointed", one.dataset.of === of && nodes.includes(one.dataset.node));
    }
    marked(nodes, "pointed");
  };
  const nodesAt = (event) => {
    const found = document.elementsFromPoint(event.clientX, event.clientY).filter((one) => one.matches?.(".node"));
    return [found[0]?.dataset.of ?? "", found.map((one) => one.dataset.node)];
  };
  article.addEventListener("pointermove", (event) => {
    const row = event.target.closest("tr[data-node]");
    if (row) point(row.dataset.of, [row.dataset.node]);
    else point(...nodesAt(event));
  });
  article.addEventListener("pointerleave", () => point("", []));
  article.addEventListener("focusin", ({ target }) => {
    if (target.matches(".node")) point(target.dataset.of, [target.dataset.node]);
  });
  article.addEventListener("focusout", () => point("", []));

  // One stop for the keyboard in each picture; arrows go on from there.
  const MOVES = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 };
  const move = (event) => {
    const all = [...event.currentTarget.querySelectorAll("button:not([hidden])")];
    const place = all.indexOf(event.target) + (MOVES[event.key] ?? NaN);
    if (!(event.key in MOVES) || !all[place]) return;
    event.preventDefault();
    all.forEach((one) => { one.tabIndex = one === all[place] ? 0 : -1; });
    all[place].focus();
  };
  const over = (of, places, images) => {
    const frame = made("span", { className: `nodes ${images[0].classList[1] ?? ""}` });
    images[0].before(frame);
    frame.append(...images);
    let first = true;
    for (const [node, [text, ...boxes]] of Object.entries(places)) {
      for (const [left, top, width, height] of boxes) {
        const one = made(boxes.length === 1 ? "button" : "span", { className: "node" }); // of a mask a node is a row and a column
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

  const stepping = (figure, { of, places, steps }) => {
    const range = made("input", { type: "range", min: 1, max: steps.length, value: steps.length });
    const said = made("output");
    const show = () => {
      const shown = new Set(steps.slice(0, range.value).flatMap(([, nodes]) => nodes));
      const hidden = steps.slice(range.value).flatMap(([, nodes]) => nodes);
      for (const [form, boxes] of Object.entries(places)) {
        const images = [...figure.querySelectorAll("img")].filter((one) => one.classList.contains("tall") === (form === "tall"));
        const box = (node) => boxes[node][1];
        const [next] = hidden.map(box);
        const isDown = next && [...shown].every((node) => box(node)[1] + box(node)[3] <= next[1]);
        const end = Math.max(...[...shown].map((node) => isDown ? box(node)[1] + box(node)[3] : box(node)[0] + box(node)[2]));
        const clip = !next ? "" : isDown ? `inset(0 0 ${99.6 - end}% 0)` : `inset(0 ${99.6 - end}% 0 0)`;
        for (const image of images) image.style.clipPath = clip;
      }
      for (const one of figure.querySelectorAll(".node")) one.hidden = hidden.includes(one.dataset.node);
      const [words, nodes] = steps[range.value - 1];
      said.textContent = words;
      marked(nodes, "of-step", figure);
    };
    range.addEventListener("input", show);
    figure.querySelector(".frame").after(made("div", { className: "steps" }, made("label", {}, "Step through the search ", range), said));
  };

  const setUp = () => {
    for (const marker of article.querySelectorAll("[data-nodes]")) {
      const figure = marker.previousElementSibling;
      if (figure.querySelector(".nodes")) continue;
      const facts = JSON.parse(marker.dataset.nodes);
      for (const [form, places] of Object.entries(facts.places)) {
        const images = [...figure.querySelectorAll("img")].filter((one) => one.classList.contains("tall") === (form === "tall"));
        over(facts.of, places, images);
      }
      for (const one of article.querySelectorAll("td [id*='/']")) { // part/table/row/column
        const node = one.id.split("/")[2];
        if (node in facts.places.wide) Object.assign(one.closest("tr").dataset, { of: facts.of, node });
      }
      if (facts.steps.length > 1) stepping(figure, facts);
    }
  };
  setUp();
  document.addEventListener("another-page", setUp);
})();
