import "./wallboard.css";
import { render } from "preact";
import { start } from "./board";
import { App } from "./ui/app";

render(<App />, document.getElementById("app") as HTMLElement);
void start();
