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
  const others = made("dl"); // what each gives in the boxes
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
    made("p", {}, made("label", {}, "Show the page with ", choice)), made("p", {}, status, " ", back), others);
  document.getElementById("question").before(panel);

  let published = null; // once another page took its place
  const between = () => {
    const shown = [];
    for (let one = panel.nextSibling; one !== marker; one = one.nextSibling) shown.push(one);
    return shown;
  };
  const put = (nodes) => {
    const shown = between();
    published ??= shown;
    shown.forEach((one) => one.remove());
    marker.before(...nodes);
    document.dispatchEvent(new Event("another-page"));
  };
  const text = (element) => element.textContent.replace(/\s/g, "");
  const within = (nodes, selector) => nodes.filter((one) => one.nodeType === Node.ELEMENT_NODE && one.matches(".answer"))
    .flatMap((one) => [...one.querySelectorAll(selector)]);
  const boxed = (nodes) => within(nodes, "[id*='/']:not(.frame)"); // the first place of each value
  const sources = (nodes) => within(nodes, "figure").map((one) => one.querySelector("img").getAttribute("src"));
  const counted = (count, noun) => `${count} ${noun}${count === 1 ? "" : "s"}`;
  // The boxed values that are not the published ones, by address before and now, and the number of other pictures.
  const differing = (nodes) => {
    const first = published ?? between();
    const [before, now] = [first, nodes].map((all) => new Map(boxed(all).map((one) => [one.id, one])));
    const values = [...new Set([...before.keys(), ...now.keys()])].map((address) => [before.get(address), now.get(address)])
      .filter(([one, other]) => !one || !other || text(one) !== text(other));
    return { values, pictures: sources(nodes).filter((one) => !sources(first).includes(one)).length };
  };
  const summed = ({ values, pictures }) => {
    const said = [[values.length, "value"], [pictures, "picture"]].filter(([count]) => count);
    return said.map(([count, noun]) => counted(count, noun)).join(" and ");
  };
  const outlined = (nodes) => {
    const found = differing(nodes);
    for (const [, now] of found.values) now?.classList.add("differs");
    return summed(found) ? `In the boxes, other than published and outlined: ${summed(found)}.` : "The boxes are as published.";
  };

  let pages = null; // once they are loaded
  const nodesOf = (place) => [...new DOMParser().parseFromString(pages[place - 1], "text/html").body.childNodes];
  const copied = (element) => {
    const copy = element.cloneNode(true);
    for (const one of [copy, ...copy.querySelectorAll("*")]) {
      for (const { name } of [...one.attributes]) if (/^(id|tabindex|data-)/.test(name)) one.removeAttribute(name);
    }
    if (/^[.,;:]$/.test(copy.lastChild?.data)) copy.lastChild.remove(); // a stop that stays with a formula
    return copy;
  };
  const several = document.querySelectorAll(".answer").length > 1;
  const placed = (element) => { // the part's number and the column's heading
    const cell = element.closest("td");
    const heading = cell ? [...copied(cell.closest("table").querySelectorAll("th")[cell.cellIndex]).childNodes, " "] : [];
    return [several ? `${element.id.split("/")[0]} ` : "", ...heading];
  };
  const LISTED = 3;
  const described = (nodes) => {
    const { values, pictures } = differing(nodes);
    if (!values.length && !pictures) return ["the boxes stay as they are."];
    const listed = values.filter(([, now]) => now).slice(0, LISTED);
    const rest = summed({ values: values.filter((one) => !listed.includes(one)), pictures });
    const parts = listed.map(([before, now]) => [...placed(now), ...(before ? [copied(before), " becomes "] : []), copied(now)]);
    if (rest) parts.push([listed.length ? `${rest} more` : `${rest} change`]);
    return parts.flatMap((part, place) => [place ? "; " : "", ...part]).concat(".");
  };
  const load = () => new Promise((resolve, reject) => {
    window.variants = (all) => {
      pages = all;
      names.forEach(([group, name], place) => {
        if (group !== names[place - 1]?.[0]) others.append(made("dt", {}, group));
        others.append(made("dd", {}, made("strong", {}, name), ": ", ...described(nodesOf(place + 1))));
      });
    };
    document.head.append(made("script", { src: script, onload: resolve, onerror: reject }));
  });
  panel.addEventListener("toggle", () => {
    if (panel.open && !pages) load().catch(() => {});
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
      const nodes = nodesOf(place);
      put(nodes);
      status.textContent = `Shown: ${names[place - 1][1]}. These are not the checked answers. ${outlined(nodes)}`;
    }
    document.body.classList.toggle("variant-shown", isOther);
    back.hidden = !isOther;
    keep(isOther ? place : 0);
  };
  const keep = (place) => {
    const hash = place ? `#variant=${encodeURIComponent(names[place - 1][1])}` : location.hash.startsWith("#variant=") ? "" : location.hash;
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
  addEventListener("hashchange", () => { // a place on the page
    const isOwn = /^#(variant=|what-if\?)/.test(location.hash);
    if (choice.value && !isOwn) keep(Number(choice.value));
  });
  document.addEventListener("DOMContentLoaded", fromAddress); // when the other scripts know the page
})();
