import "./wallboard.css";
import { render } from "preact";
import { ignoreRepeats } from "../ui/repeats";
import { start } from "./board";
import { App } from "./ui/app";

ignoreRepeats();
render(<App />, document.getElementById("app") as HTMLElement);
void start();
