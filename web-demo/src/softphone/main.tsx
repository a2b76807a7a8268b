import { render } from "preact";
import { createPage, startPage } from "../ui/page";
import { createSoftphone } from "./softphone";
import { App } from "./ui/app";

const page = createPage();
const softphone = createSoftphone(page);
startPage(page);
render(<App softphone={softphone} />, document.getElementById("app") as HTMLElement);
softphone.start();
