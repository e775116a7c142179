/** Send pictures of foils, with a bar that says how much has arrived. */
import { watchUpload } from "tektite/lib/upload_form";

watchUpload(document.getElementById("upload"));
