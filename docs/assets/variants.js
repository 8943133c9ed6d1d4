// Shows a page under other conventions or at other sizes. The other pages were made with this one and lie in a script beside it.
(() => {
  const marker = document.querySelector("[data-variants]");
  const { script, names } = JSON.parse(marker.dataset.variants);

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

  const between = () => {
    const shown = [];
    for (let one = panel.nextSibling; one !== marker; one = one.nextSibling) shown.push(one);
    return shown;
  };
  const published = made("div", {}, ...between().map((one) => one.cloneNode(true))); // before a reader changes numbers
  let pages = null; // once they are loaded
  const pageOf = (place) => new DOMParser().parseFromString(pages[place - 1], "text/html").body;

  const text = (element) => element.textContent.replace(/\s/g, "");
  const boxed = (page) => new Map([...page.querySelectorAll(".answer [id*='/']:not(.frame)")].map((one) => [one.id, one]));
  const sources = (page) => [...page.querySelectorAll(".answer figure")].map((one) => [one, one.querySelector("img").getAttribute("src")]);
  // The boxed values that are not the published ones, before and now, and the pictures that are others.
  const differing = (page) => {
    const [before, now] = [published, page].map(boxed);
    const values = [...new Set([...before.keys(), ...now.keys()])].map((address) => [before.get(address), now.get(address)])
      .filter(([one, other]) => !one || !other || text(one) !== text(other));
    const known = sources(published).map(([, source]) => source);
    return { values, pictures: sources(page).filter(([, source]) => !known.includes(source)).map(([figure]) => figure) };
  };
  const counted = (count, noun) => `${count} ${noun}${count === 1 ? "" : "s"}`;
  const summed = (values, pictures) => {
    const said = [[values.length, "place"], [pictures.length, "picture"]].filter(([count]) => count);
    return said.map(([count, noun]) => counted(count, noun)).join(" and ");
  };
  const outlined = (page) => {
    const { values, pictures } = differing(page);
    for (const one of [...values.map(([, now]) => now), ...pictures]) one?.classList.add("differs");
    const sum = summed(values, pictures);
    return sum ? `The boxes differ from the published ones in ${sum}. New ones are outlined.` : "The boxes are as published.";
  };

  const copied = (element) => {
    const copy = element.cloneNode(true);
    for (const one of [copy, ...copy.querySelectorAll("*")]) {
      for (const { name } of [...one.attributes]) if (/^(id|tabindex|data-)/.test(name)) one.removeAttribute(name);
    }
    if (/^[.,;:]$/.test(copy.lastChild?.data)) copy.lastChild.remove(); // a stop that stays with a formula
    return copy;
  };
  const several = published.querySelectorAll(".answer").length > 1;
  const { numbers } = JSON.parse(document.querySelector("[data-boxed]")?.dataset.boxed ?? '{"numbers": []}');
  const nameOf = Object.fromEntries(numbers.map(({ at, name }) => [at, name]));
  // Where a value stands: its part's number and its name, or what its row begins with and the column's heading.
  const placed = (element) => {
    const cell = element.closest("td"), [part] = element.id.split("/");
    const own = several && part !== "sheet" ? `${part}: ` : "";
    const name = nameOf[element.id];
    if (!cell || name) return [own, name ? `${name.replace(": ", ", ")}${cell ? " " : ", "}` : ""];
    const headings = cell.closest("table").querySelectorAll("th"), [first] = cell.parentElement.cells;
    const heading = (one) => [...copied(headings[one.cellIndex]).childNodes, " "];
    const row = [.../^[\u2212-]?\d+$/.test(text(first)) ? heading(first) : [], ...copied(first).childNodes, ", "];
    return [own, ...(cell === first ? [] : row), ...heading(cell)];
  };
  // A row that is gone or new is one change, told by its first cell.
  const changes = (values) => {
    const rows = new Set();
    return values.filter(([before, now]) => {
      const row = (!now || !before) && (now ?? before).closest("tr");
      return !row || (!rows.has(row) && rows.add(row));
    });
  };
  const shows = (figure) => figure.querySelector("img").alt.split(/\.(?:\s|$)/)[0].replace(/^\p{Lu}(?=\p{Ll})/u, (first) => first.toLowerCase());
  // Pictures that differ, each by the first sentence of what stands for it where it cannot be seen.
  const redrawn = (page, pictures) => {
    const [before, now] = [published, page].map((one) => sources(one).map(([figure]) => figure));
    return pictures.map((figure) => {
      const [was, is] = [before.length === now.length ? before[now.indexOf(figure)] : null, figure].map((one) => one && shows(one));
      return was && was !== is ? `${was} becomes ${is}` : `${is} is drawn anew`;
    });
  };
  const LISTED = 3;
  const described = (page) => {
    const { values, pictures } = differing(page);
    const told = changes(values).map(([before, now]) => [...placed(now ?? before), ...(!now ? [copied(before), " is gone"] :
      before ? [copied(before), " becomes ", copied(now)] : [copied(now), " is new"])]);
    const all = [...told, ...redrawn(page, pictures).map((one) => [one])];
    const parts = all.length > LISTED + 1 ? [...all.slice(0, LISTED), [`and ${counted(all.length - LISTED, "change")} more`]] : all;
    return parts.length ? parts.flatMap((part, place) => [place ? "; " : "", ...part]).concat(".") : ["the boxes stay as they are."];
  };
  let loading = null;
  const load = () => loading ??= new Promise((resolve, reject) => {
    window.variants = (all) => {
      pages = all;
      names.forEach(([group, name], place) => {
        if (group !== names[place - 1]?.[0]) others.append(made("dt", {}, group));
        others.append(made("dd", {}, made("strong", {}, name), ": ", ...described(pageOf(place + 1))));
      });
    };
    document.head.append(made("script", { src: script, onload: resolve, onerror: reject }));
  }).catch(() => { loading = null; });
  panel.addEventListener("toggle", () => {
    if (panel.open) load();
  });

  // Headings stay the same elements, which the table of contents follows, with the words of the page that is shown.
  const HEADINGS = "h2[id], h3[id]";
  let kept = null; // the published page while another is shown
  const undoing = [];
  const takeHeadings = (page) => {
    const [own, other] = [kept, page].map((one) => [...one.querySelectorAll(HEADINGS)]);
    if (own.length !== other.length) return;
    own.forEach((heading, place) => {
      const spot = document.createComment(""), children = [...heading.childNodes];
      const entries = [...document.querySelectorAll(`.md-nav--secondary a[href="#${CSS.escape(heading.id)}"] .md-ellipsis`)];
      const words = entries[0]?.textContent;
      heading.replaceWith(spot);
      other[place].replaceWith(heading);
      heading.replaceChildren(...other[place].childNodes);
      const link = heading.querySelector(".headerlink");
      link?.setAttribute("href", `#${heading.id}`);
      for (const one of entries) one.textContent = heading.textContent.replace(link?.textContent ?? "", "");
      undoing.push(() => {
        heading.replaceChildren(...children);
        spot.replaceWith(heading);
        for (const one of entries) one.textContent = words;
      });
    });
  };
  const put = (page) => { // or the published one
    const taken = document.createDocumentFragment();
    taken.append(...between());
    undoing.splice(0).forEach((undo) => undo());
    if (page) {
      kept ??= taken;
      takeHeadings(page);
    }
    marker.before(...(page ?? kept).childNodes);
    if (!page) kept = null;
    document.dispatchEvent(new Event("another-page"));
  };
  const ONLY = "Numbers are changed and compared on the published page only.";
  const show = async (place) => {
    const reset = document.querySelector("#what-if button:not([hidden])");
    if (place && reset) { // one change at a time
      reset.click();
      choice.focus();
    }
    if (place && !pages) {
      status.textContent = "Loading …";
      await load();
    }
    if (place !== Number(choice.value)) return; // another was chosen meanwhile
    const isOther = place > 0 && pages !== null;
    if (kept && !isOther) put(null);
    status.textContent = place && !isOther ? "The other pages cannot be loaded." : "";
    if (!isOther) choice.value = "";
    if (isOther) {
      const page = pageOf(place);
      const said = outlined(page);
      put(page);
      const set = reset ? " Your numbers were set back." : "";
      status.textContent = `Shown: ${names[place - 1][1]}.${set} These are not the checked answers. ${ONLY} ${said}`;
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
    const wanted = new URLSearchParams(location.hash.slice(1)).get("variant");
    const place = names.findIndex(([, name]) => name === wanted) + 1;
    if (place) {
      choice.value = String(place);
      panel.open = true;
      show(place);
    } else if (kept && choice.value) keep(Number(choice.value)); // a place on the page
  };
  addEventListener("hashchange", fromAddress);
  document.addEventListener("DOMContentLoaded", fromAddress); // when the other scripts know the page
})();
