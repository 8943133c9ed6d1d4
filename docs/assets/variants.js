// Shows a page under other conventions or at other sizes. The other pages were made with this one and lie in a script beside it.
(() => {
  const marker = document.querySelector("[data-variants]");
  const { script, names } = JSON.parse(marker.dataset.variants);

  const made = (name, properties = {}, ...children) => {
    const element = Object.assign(document.createElement(name), properties);
    element.append(...children);
    return element;
  };
  const status = made("output", { id: "variants-status" });
  const back = made("button", { type: "button", hidden: true }, "Back to the published page");
  const choice = made("select", {}, made("option", { value: "" }, "as published"));
  choice.setAttribute("aria-describedby", status.id);
  const groups = new Map();
  names.forEach(([group, name], place) => {
    if (!groups.has(group)) {
      groups.set(group, made("optgroup", { label: group }));
      choice.append(groups.get(group));
    }
    groups.get(group).append(made("option", { value: String(place + 1) }, name));
  });
  const panel = made("details", { className: "what-if", id: "variants" },
    made("summary", {}, "What if it were read another way?"),
    made("p", {}, made("label", {}, "Show the page with ", choice)), made("p", {}, status, " ", back));
  document.getElementById("question").before(panel);

  let published = null; // once another page took its place
  const put = (nodes) => {
    const shown = [];
    for (let one = panel.nextSibling; one !== marker; one = one.nextSibling) shown.push(one);
    published ??= shown;
    shown.forEach((one) => one.remove());
    marker.before(...nodes);
  };
  const text = (element) => element.textContent.replace(/\s/g, "");
  const within = (nodes, selector) => nodes.filter((one) => one.nodeType === Node.ELEMENT_NODE && one.matches(".answer"))
    .flatMap((one) => [...one.querySelectorAll(selector)]);
  const boxed = (nodes) => within(nodes, "[id*='/']:not(.frame)"); // the first place of each value
  const sources = (nodes) => within(nodes, "figure").map((one) => one.querySelector("img").getAttribute("src"));
  const counted = (count, noun) => `${count} ${noun}${count === 1 ? "" : "s"}`;
  // Outlines the boxed values that are not the published ones, and says how many values and pictures are others or gone.
  const differing = (nodes) => {
    const [before, now] = [published, nodes].map((all) => new Map(boxed(all).map((one) => [one.id, text(one)])));
    const others = new Set([...before.keys(), ...now.keys()].filter((address) => before.get(address) !== now.get(address)));
    for (const one of boxed(nodes)) if (others.has(one.id)) one.classList.add("differs");
    const pictures = sources(nodes).filter((one) => !sources(published).includes(one)).length;
    const said = [[others.size, "value"], [pictures, "picture"]].filter(([count]) => count);
    if (!said.length) return "The boxes are as published.";
    return `In the boxes, other than published and outlined: ${said.map(([count, noun]) => counted(count, noun)).join(", ")}.`;
  };

  let pages = null; // once they are loaded
  const load = () => new Promise((resolve, reject) => {
    window.variants = (all) => { pages = all; };
    document.head.append(made("script", { src: script, onload: resolve, onerror: reject }));
  });
  const show = async (place) => {
    const reset = document.querySelector("#what-if button:not([hidden])");
    if (place && reset) { // one change at a time
      reset.click();
      choice.focus();
    }
    if (place && !pages) {
      status.textContent = "Loading …";
      await load().catch(() => {});
    }
    if (place !== Number(choice.value)) return; // another was chosen meanwhile
    const isOther = place > 0 && pages !== null;
    if (published && !isOther) put(published);
    status.textContent = place && !isOther ? "The other pages cannot be loaded." : "";
    if (!isOther) choice.value = "";
    if (isOther) {
      const nodes = [...new DOMParser().parseFromString(pages[place - 1], "text/html").body.childNodes];
      put(nodes);
      status.textContent = `Shown: ${names[place - 1][1]}. These are not the checked answers. ${differing(nodes)}`;
    }
    document.body.classList.toggle("variant-shown", isOther);
    back.hidden = !isOther;
    const hash = isOther ? `#variant=${encodeURIComponent(names[place - 1][1])}` : location.hash.startsWith("#variant=") ? "" : location.hash;
    history.replaceState(history.state, "", location.pathname + location.search + hash);
  };
  choice.addEventListener("change", () => show(Number(choice.value)));
  back.addEventListener("click", () => {
    choice.value = "";
    show(0);
    choice.focus();
  });
  const fromAddress = () => {
    if (location.hash.startsWith("#what-if?") && choice.value) {
      choice.value = "";
      show(0);
    }
    const [, wanted = ""] = /^#variant=(.+)$/.exec(location.hash) ?? [];
    const place = names.findIndex(([, name]) => name === decodeURIComponent(wanted)) + 1;
    if (!place) return;
    choice.value = String(place);
    panel.open = true;
    show(place);
  };
  addEventListener("hashchange", fromAddress);
  document.addEventListener("DOMContentLoaded", fromAddress); // when the other scripts know the page
})();
