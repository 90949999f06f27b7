// What the page carries: JSON in a block that no browser runs.

export function read<T>(id: string): T {
  return JSON.parse(document.getElementById(id)?.textContent ?? "null") as T;
}
