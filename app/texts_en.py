"""The English texts of the page."""

EN = {
    # page
    "title": "KBLaM Playground",
    "lead": "Edit a table of facts, ask about it, and see which facts the model's attention used. "
    "The facts are never pasted into the prompt.",
    "model_loading": "Loading the model ({seconds} s). You can edit the table and ask already; the answer comes when it is ready.",
    "model_failed": "The model could not be loaded, so questions cannot be answered yet. {reason}",
    "model_failed_hint": "The table works all the same. Ask a question to try again.",
    "generic_error": "Something went wrong inside the page. It was written to the log; please try again.",
    # chat
    "chat": "Chat",
    "chat_empty": "Ask about a fact on the right. Change a cell, ask again, and the answer changes.",
    "question": "Your question",
    "question_hint": "Ask about the facts in the table",
    "ask": "Ask",
    "stop": "Stop",
    "try": "Try:",
    "waiting": "Waiting for the model to be free …",
    "loading": "Loading the model, {seconds} s so far …",
    "thinking": "Looking at the table …",
    "encoding": "Encoding new facts: {done} of {total}. This happens once; later edits are quick.",
    "stopped": "Stopped",
    "stopped_text": "You stopped this answer.",
    "error": "No answer",
    "error_hint": "Your question and your table are kept.",
    "refused": "Not in the table",
    "refused_hint": "No fact answers this. The nearest facts are:",
    "empty_table": "The table is empty",
    "empty_table_hint": "Add a fact, pick a sample table, or import a file.",
    "fact_used": "Fact used",
    "facts_used": "Facts used",
    "nearest_facts": "Nearest facts",
    "more_facts": "Also looked at",
    "share_hint": "share of the attention on facts",
    "no_source": "No single fact stands behind this answer; do not rely on it.",
    "low_share": "Little attention went to the table; check this answer.",
    "meta": "{mass} of attention on the table · first word in {first} · {tokens}",
    "ms": "{count} ms",
    "seconds": "{count} s",
    "token_one": "token",
    "token_few": "tokens",
    "token_many": "tokens",
    "empty_question": "Type a question first.",
    "long_question": "This question has {count} characters; at most {limit} fit. It is kept in the box: please shorten it.",
    "busy": "The last question is still being answered. Your new one is kept in the box: ask it in a moment, or press Stop.",
    "nothing_to_undo": "There is nothing to take back.",
    # options
    "options": "Options",
    "mode": "How to answer",
    "mode_info": "Turn parts of the method off to see what each does.",
    "mode_kblam": "KBLaM with all additions",
    "mode_paper": "Plain KBLaM, as in the paper",
    "mode_no-copy": "Without the copy gate",
    "mode_no-prior": "Without the question prior",
    "mode_no-shortlist": "Without the shortlist",
    "threshold": "Refuse below",
    "threshold_info": "The least probability that some fact answers. Higher: refuses more often.",
    # take it along
    "share": "Take it along",
    "save_json": "Save JSON",
    "save_csv": "Save CSV",
    "save_html": "Save page",
    "copy_link": "Copy a link",
    "link_copied": "Copied. The link holds the question, the settings and the table; nothing of it is stored on the server.",
    "link_no_table": "The table is too large for a link, so the link holds the question and the settings only. Export the table as a file.",
    "link_too_long": "The question is too long for a link. Shorten it.",
    "share_nothing": "Ask a question first: its answer can then be saved.",
    "share_no_attention": "The attention of this older answer is no longer kept. Ask again to save it.",
    "export_settings": "{mode} · refuse below {threshold} · {facts} facts in the table",
    "export_note": "Shares of attention, mean of all layers and heads. Attention shows where the model looked, not why it answered.",
    # facts
    "facts": "Facts",
    "entity": "entity",
    "property": "property",
    "value": "value",
    "sample": "Sample table",
    "sample_workshop": "Workshop",
    "sample_clinic": "Clinic (invented drugs)",
    "sample_catalogue": "Product catalogue",
    "sample_museum": "Museum guide",
    "sample_fantasy": "Fantasy world",
    "add": "Add a fact",
    "undo": "Undo",
    "redo": "Redo",
    "nothing_to_redo": "There is nothing to do again.",
    "start_over": "Start over with the sample",
    "clear": "Clear table",
    "import": "Import",
    "export": "Export CSV",
    "search": "Search the table",
    "search_hint": "words in any column",
    "previous": "Previous",
    "next": "Next",
    "page_of": "Page {page} of {pages}",
    "fact_one": "fact",
    "fact_few": "facts",
    "fact_many": "facts",
    "found": "{found} of {rows} rows match",
    "no_rows": "The table is empty. Add a fact (or paste cells into its row), pick a sample table, or import a file.",
    "no_match": "No row holds these words.",
    "delete_row": "Delete row",
    "duplicate_row": "Duplicate row",
    "include_row": "Give to the model: row",
    "include_all": "Give all rows shown by the search to the model",
    "sort_by": "Sort by {column}",
    "left_out": "{count} left out",
    "not_kept": "too large to be kept in this browser: export it",
    "problem_one": "problem",
    "problem_few": "problems",
    "problem_many": "problems",
    "problems_more": "and {count} more",
    "imported": "Imported {facts} from {name}. Undo brings the earlier table back.",
    "imported_partly": "Imported {facts} from {name}; some rows need a look:",
    "import_failed": "The file was not imported; your table is as it was.",
    "import_nothing": "{name} holds no complete fact, so your table was left as it was.",
    "import_which": "{name} has other columns ({rows} rows). Which column is which?",
    "import_layout": "The file has",
    "import_long": "one fact a row",
    "import_wide": "one entity a row, the other columns are its properties",
    "import_header": "The first line names the columns",
    "import_gives": "This gives {facts}",
    "import_confirm": "Import these facts",
    "cancel": "Cancel",
    "too_many": "Only the first {limit} rows were kept.",
    # attention
    "attention": "Attention",
    "attention_none": "Ask a question, and this tab shows which facts the model looked at, word by word.",
    "attention_no_map": "No attention was kept for this answer.",
    "which_answer": "Answer",
    "rows": "Words of",
    "rows_answer": "the answer",
    "rows_question": "the question",
    "layer": "Layer",
    "head": "Head",
    "all_layers": "all (mean)",
    "all_heads": "all (mean)",
    "top_k": "Facts shown",
    "others": "other facts",
    "map_facts": "facts, most attended first",
    "map_share": "share of attention",
    "table_share": "the table's share",
    "map_note": "Each column is one token (a word or a piece of one); its shares and what it gave to the text add up to 100 %. On average "
    "{mass} of the attention here went to the table. Attention shows where the model looked, not why it answered; "
    "to test that, change or delete the fact and ask again.",
    # compare
    "compare": "Compare",
    "compare_hint": "A question, or empty for the last one of the chat",
    "compare_start": "Compare",
    "compare_next": "Comes after the others.",
    "compare_now": "Answering …",
    "compare_refused": "says that it does not know",
    "compare_holds": "holds the value of the fact KBLaM cites",
    "compare_lacks": "does not hold the value of the fact KBLaM cites",
    "compare_no_value": "KBLaM cites no fact here, so there is no value to look for in the other answers.",
    "compare_times": "first token after {first} · whole answer after {total}",
    "compare_too_large": "The table does not fit into the prompt: the model cannot read so many tokens.",
    "system_kblam": "KBLaM",
    "about_kblam": "Facts in the attention, with all additions.",
    "system_paper": "Plain KBLaM",
    "about_paper": "As in the paper. The adapter was trained with the additions on.",
    "system_rag": "RAG",
    "about_rag": "The five nearest facts in the prompt of the same model.",
    "system_in-context": "In-context",
    "about_in-context": "All facts in the prompt of the same model.",
    "system_zero-shot": "No knowledge",
    "about_zero-shot": "The same model without the table.",
    # how
    "how": "How it works",
    "how_text": """
**A fact becomes two vectors.** A small sentence encoder reads *the property of entity* (the key) and the *value*. Linear maps
turn them into a key and a value for some layers of a frozen language model.

**The model looks at all facts at once.** In those layers every word attends to the facts and to the text in one softmax. No
fact is pasted into the prompt, and nothing is trained when you edit: a changed cell is encoded again, the rest stays.

**Four additions to the published method**, each with a switch under Options: the question's own vector points attention to
near facts; only a shortlist of facts takes part; a copy gate spells names and numbers exactly; and the model was trained to
look at the right fact and to refuse when there is none.

**What you see under an answer**: the facts that got most of the attention while the answer was written, each with its share
of the attention that went to facts.

**Limits.** The default model is small: ask one thing at a time, in English, in words close to the table's. Attention shows
where the model looked; it is not a proof of why it answered.

The method: *KBLaM: Knowledge Base augmented Language Model*, ICLR 2025, arXiv 2410.10450.

**From Python**

```python
from gradio_client import Client

client = Client("{url}")
facts = [["Halden Workshop", "director", "Ingrid Solvang"]]
print(client.predict("Who runs the Halden Workshop?", facts, "kblam", api_name="/ask"))
```
""",
}
