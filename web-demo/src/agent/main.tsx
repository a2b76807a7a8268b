import "./agent.css";
import { render } from "preact";
import { start } from "./desk";
import { App } from "./ui/app";

render(<App />, document.getElementById("app") as HTMLElement);
void start();
