// Where the page of a posture begins.
import { render } from "preact";
import "../shell/shell.css";
import "../shell/pieces.css";
import "./posture.css";
import { read } from "../shell/data";
import { App } from "./app";
import { type Packed, unpack } from "./model";

const root = document.getElementById("app");
if (root) render(<App told={unpack(read<Packed>("data"))} />, root);
