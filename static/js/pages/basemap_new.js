/** Upload a basemap, with a bar that says how much has arrived. */
import { watchUpload } from "tektite/lib/upload_form";

watchUpload(document.getElementById("upload"));
