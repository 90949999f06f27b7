// Light, dark, or what the reader's system says. The choice lasts where the browser lets a local file keep one.
import { useEffect, useLayoutEffect, useState } from "preact/hooks";

export type Theme = "auto" | "light" | "dark";
const KEY = "eightysix-theme";
const DARK = "(prefers-color-scheme: dark)";
const ORDER: readonly Theme[] = ["auto", "light", "dark"];

function kept(): Theme {
  try {
    const found = localStorage.getItem(KEY);
    return ORDER.find((one) => one === found) ?? "auto";
  } catch {
    return "auto";
  }
}

/** Style sheets know light and dark alone: what the system says is looked up here, so that each colour stands in them once. */
function wear(theme: Theme): void {
  const worn = theme === "auto" ? (matchMedia(DARK).matches ? "dark" : "light") : theme;
  document.documentElement.setAttribute("data-theme", worn);
}

/** The theme, what switches to the next one, and a number that changes whenever colours do. */
export function useTheme(): { theme: Theme; next: () => void; colours: number } {
  const [theme, setTheme] = useState<Theme>(kept);
  const [colours, setColours] = useState(0);
  useLayoutEffect(() => {
    wear(theme);
    try {
      localStorage.setItem(KEY, theme);
    } catch {
      // A local file may have no storage: the choice lasts as long as the page.
    }
    setColours((count) => count + 1);
  }, [theme]);
  useEffect(() => {
    const changed = (): void => {
      wear(theme);
      setColours((count) => count + 1);
    };
    const queries = [DARK, "print"].map((text) => matchMedia(text));
    for (const query of queries) query.addEventListener("change", changed);
    return () => {
      for (const query of queries) query.removeEventListener("change", changed);
    };
  }, [theme]);
  const next = (): void => setTheme(ORDER[(ORDER.indexOf(theme) + 1) % ORDER.length] ?? "auto");
  return { theme, next, colours };
}

/** A colour of the style sheet, for what is drawn on a canvas. */
export function colour(name: string): string {
  return getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
}

export function moves(): boolean {
  return !matchMedia("(prefers-reduced-motion: reduce)").matches;
}
