// @ts-check
// Tabs: one part of the result at a time, by mouse and by arrow keys.

import { $, make } from "./dom.js";

export class Tabs {
  /**
   * @param {HTMLElement} list where the tabs go
   * @param {(id: string) => void} onShow called with the id of the panel that is shown
   */
  constructor(list, onShow) {
    this.onShow = onShow;
    this.panels = /** @type {HTMLElement[]} */ ([...document.querySelectorAll("[data-tab]")]);
    this.tabs = this.panels.map((panel) => this.tabOf(panel));
    list.append(...this.tabs);
    list.addEventListener("keydown", (event) => this.move(event));
    this.show(this.panels[0].id);
  }

  tabOf(panel) {
    const id = `${panel.id}-tab`;
    panel.setAttribute("role", "tabpanel");
    panel.setAttribute("aria-labelledby", id);
    const tab = make(
      "button",
      { type: "button", id, role: "tab", "aria-controls": panel.id },
      panel.dataset.tab,
    );
    tab.addEventListener("click", () => this.show(panel.id));
    return tab;
  }

  /** @param {string} id of a panel */
  show(id) {
    this.shown = id;
    this.panels.forEach((panel, i) => {
      const is = panel.id === id;
      panel.hidden = !is;
      this.tabs[i].setAttribute("aria-selected", String(is));
      this.tabs[i].tabIndex = is ? 0 : -1;
    });
    this.onShow(id);
  }

  /** Offer a panel or not. */
  offer(id, is) {
    $(`${id}-tab`).hidden = !is;
    if (!is && this.shown === id) this.show(this.panels[0].id);
  }

  move(event) {
    const offered = this.tabs.filter((tab) => !tab.hidden);
    const i = offered.indexOf(event.target);
    const to = { ArrowRight: i + 1, ArrowLeft: i - 1, Home: 0, End: offered.length - 1 }[event.key];
    if (i < 0 || to === undefined) return;
    event.preventDefault();
    const tab = offered[(to + offered.length) % offered.length];
    tab.focus();
    tab.click();
  }
}
