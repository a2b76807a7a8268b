import "./agent.css";
import { render } from "preact";
import { createApi } from "../centre/api";
import { createPage, startPage } from "../ui/page";
import { App } from "./ui/app";
import { createAgentWorkspace } from "./workspace";

const page = createPage();
const workspace = createAgentWorkspace(page, createApi());
startPage(page);
render(<App workspace={workspace} />, document.getElementById("app") as HTMLElement);
void workspace.start();
