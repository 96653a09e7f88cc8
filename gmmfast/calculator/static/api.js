// @ts-check
// What the page asks of the server. Every answer is JSON; an error is one sentence.

let session = null;
let last = Promise.resolve(); // the end of the last request that changes the session

// A list gives its name once for each of its values.
function address(path, query = {}) {
  const pairs = Object.entries({ session: session ?? "", ...query });
  const search = pairs.flatMap(([name, values]) => [values].flat().map((value) => [name, String(value)]));
  return `/api/${path}?${new URLSearchParams(search)}`;
}

/**
 * @param {string} method
 * @param {string} path
 * @param {{ query?: any, json?: any, body?: any }} [content]
 */
async function ask(method, path, { query, json, body } = {}) {
  /** @type {RequestInit} */
  const options = { method };
  if (json !== undefined) {
    options.body = JSON.stringify(json);
    options.headers = { "Content-Type": "application/json" };
  } else if (body !== undefined) {
    options.body = body;
  }
  let response;
  try {
    response = await fetch(address(path, query), options);
  } catch {
    throw new Error("The calculator does not answer. Is it still running in the terminal?");
  }
  let found;
  try {
    found = await response.json();
  } catch {
    throw new Error(`The calculator gave no answer that can be read (${response.status}).`);
  }
  if (!response.ok)
    throw Object.assign(new Error(found.error ?? `Error ${response.status}`), { nMissing: found.n_missing });
  return found;
}

/**
 * Do something that changes the session once everything before it is done, so that a fit is of the
 * data that were there when it was asked for.
 * @template T
 * @param {() => Promise<T>} action
 * @returns {Promise<T>}
 */
export function inTurn(action) {
  const result = last.then(action);
  last = result.then(
    () => {},
    () => {},
  );
  return result;
}

export async function begin() {
  session = (await ask("POST", "session")).session;
  return ask("GET", "options");
}

export const sendData = (name, body, query = {}) => ask("POST", "data", { query: { name, ...query }, body });
export const useExample = (name) => ask("POST", "example", { json: { name } });
export const startFit = (settings) => ask("POST", "fit", { json: settings });
export const fitStatus = () => ask("GET", "fit");
export const leave = () => {
  fetch(address("fit"), { method: "DELETE", keepalive: true });
};
export const cancelFit = () => ask("DELETE", "fit");
export const picture = (columns, options = {}) => ask("POST", "picture", { json: { columns, ...options } });
export const useModel = (rows, rate) => ask("POST", "rows", { query: { rate }, body: rows });
export const sureness = () => ask("POST", "sureness");
export const downloadAddress = (name) => address(`download/${name}`);
