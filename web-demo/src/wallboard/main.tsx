import "./wallboard.css";
import { render } from "preact";
import { start } from "./board";
import { App } from "./ui/app";
import { ignoreRepeats } from "../ui/repeats";

ignoreRepeats();
render(<App />, document.getElementById("app") as HTMLElement);
void start();
