// @ts-check
// Elements of the page.

/**
 * @param {string} id
 * @returns {any} the element with this id
 */
export const $ = (id) => document.getElementById(id);

/**
 * A new element.
 * @param {string} tag
 * @param {Record<string, any>} [properties] `class` and names with a dash become attributes
 * @param {...(Node | string)} children
 * @returns {any}
 */
export function make(tag, properties = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (name === "class" || name.includes("-")) element.setAttribute(name, value);
    else element[name] = value;
  }
  element.append(...children);
  return element;
}

/**
 * A new list item for each text.
 * @param {HTMLElement} list
 * @param {string[]} texts
 */
export function fillList(list, texts) {
  list.replaceChildren(...texts.map((text) => make("li", {}, text)));
}
