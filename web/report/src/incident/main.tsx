// Where the incident's page begins.
import { render } from "preact";
import "../shell/shell.css";
import "../shell/pieces.css";
import "./incident.css";
import { read } from "../shell/data";
import { App } from "./app";
import type { Reconstruction } from "./model";

const root = document.getElementById("app");
if (root) render(<App told={read<Reconstruction>("data")} />, root);
