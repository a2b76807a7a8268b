import { render } from "preact";
import { start } from "./softphone";
import { App } from "./ui/app";

render(<App />, document.getElementById("app") as HTMLElement);
start();
