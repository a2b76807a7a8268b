import "./wallboard.css";
import { render } from "preact";
import { createApi } from "../centre/api";
import { createPage, startPage } from "../ui/page";
import { App } from "./ui/app";
import { createWallboard } from "./wallboard";

const page = createPage();
const wallboard = createWallboard(page, createApi());
startPage(page);
render(<App wallboard={wallboard} />, document.getElementById("app") as HTMLElement);
void wallboard.start();
