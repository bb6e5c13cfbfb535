//! Tests of refusals: a value of a wrong type or out of its range names its key, itself and what is allowed.

use super::tests::refusal;

#[test]
fn a_wrong_type_names_the_key_the_value_and_what_is_allowed() {
    let cases = [
        ("[server]\nmax_connections = \"many\"", "line 2: server.max_connections = \"many\": expected a whole number"),
        ("[server]\nlisten = 8787", "line 2: server.listen = 8787: expected a string"),
        ("[server]\nfault_injection = 1", "line 2: server.fault_injection = 1: expected true or false"),
        ("\n\n[reader]\nkeep = \"half\"", "line 4: reader.keep = \"half\": expected a number"),
        ("[models]\nsources = \"pip\"", "line 2: models.sources = \"pip\": expected a list in square brackets"),
        ("server = 3", "line 1: server = 3: expected a section of its own, in square brackets"),
    ];
    for (text, expected) in cases {
        assert_eq!(refusal(text), expected);
    }
}

#[test]
fn a_value_out_of_range_names_the_range() {
    let cases = [
        ("[server]\nmax_connections = 0", "server.max_connections = 0: expected a whole number from 1 to 100000"),
        ("[server]\nlisten = \"localhost\"", "server.listen = \"localhost\": expected an IP address and a port"),
        ("[server]\nbase_path = \"v1/\"", "server.base_path = \"v1/\": expected a path such as \"/v1\""),
        (
            "[server]\nbase_path = \"/mainpoint/a\"",
            "server.base_path = \"/mainpoint/a\": expected a path such as \"/v1\"",
        ),
        (
            "[server]\nallowed_origins = [\"https://App.example/\"]",
            "server.allowed_origins = [\"https://App.example/\"]: expected a list of origins as browsers name them",
        ),
        (
            "[server]\nallowed_origins = [\"*\"]",
            "server.allowed_origins = [\"*\"]: expected a list of origins as browsers name them",
        ),
        (
            "[upstream]\nurl = \"api.openai.com/v1\"",
            "upstream.url = \"api.openai.com/v1\": expected \"embedded\" or an http",
        ),
        ("[upstream]\nurl = \"ftp://example.org\"", "upstream.url = \"ftp://example.org\": expected"),
        ("[memory]\nmode = \"maybe\"", "memory.mode = \"maybe\": expected \"on\", \"shadow\" or \"off\""),
        ("[memory]\nattachments = \"newest\"", "memory.attachments = \"newest\": expected \"keep\" or \"newest N\""),
        (
            "[memory]\nattachments = \"newest -1\"",
            "memory.attachments = \"newest -1\": expected \"keep\" or \"newest N\"",
        ),
        (
            "[memory]\nleast_relevance = 1001",
            "line 2: memory.least_relevance = 1001: expected a number from 0 to 1000, such as 0.1",
        ),
        ("[memory]\nmemory_share = 0", "memory.memory_share = 0: expected a share over 0 and at most 1"),
        (
            "[memory]\nmemory_tokens = 19000",
            "memory.memory_tokens = 19000: expected less than memory.budget_tokens, which is 16000",
        ),
        ("[memory]\nlow_water = 0.6", "memory.low_water = 0.6: expected less than memory.high_water, which is 0.6"),
        ("[memory]\nhigh_water = 1.5", "memory.high_water = 1.5: expected a share over 0 and at most 1"),
        (
            "[memory]\nleast_match = 1.5",
            "line 2: memory.least_match = 1.5: expected a number from -1 to 1, such as 0.18",
        ),
        ("[memory]\nleast_match = nan", "memory.least_match = NaN: expected a number from -1 to 1"),
        ("[memory]\nscan_passages = -1", "memory.scan_passages = -1: expected a whole number from 0 to 10000000"),
        ("[prices]\ncache_read = -0.1", "prices.cache_read = -0.1: expected a number from 0"),
        (
            "[prices]\npreset = \"open-ai\"",
            "prices.preset = \"open-ai\": expected \"auto\", \"openai\", \"anthropic\", \"anthropic-1h\", \"deepseek\" or \"none\"",
        ),
        ("[prices]\ncache_seconds = -1", "prices.cache_seconds = -1: expected a whole number from 0 to 604800"),
        ("[memory]\nuser_header = \"a b\"", "memory.user_header = \"a b\": expected the name of an HTTP header"),
        (
            "[memory]\nuser_header = \"Authorization\"",
            "memory.user_header = \"Authorization\": expected a header of its own",
        ),
        (
            "[memory]\ncredential_headers = [\"x-team-key\", \"a:b\"]",
            "memory.credential_headers = [\"x-team-key\", \"a:b\"]: expected a list of names of HTTP headers such as [\"x-team-key\"]",
        ),
        (
            "[memory]\ncredential_headers = [\"X-Mainpoint-User\"]",
            "memory.credential_headers = [\"X-Mainpoint-User\"]: expected a list of names of HTTP headers such as [\"x-team-key\"], without x-mainpoint-user",
        ),
        (
            "[memory]\ncredential_headers = [\"x-mainpoint-project\"]",
            "such as [\"x-team-key\"], without x-mainpoint-project (memory.project_header)",
        ),
        (
            "[memory]\nproject_header = \"X-Mainpoint-User\"",
            "memory.project_header = \"x-mainpoint-user\": expected another header than memory.user_header",
        ),
        (
            "[memory]\nmask_exceptions = [\"github\", \"git-hub\"]",
            "line 2: memory.mask_exceptions = [\"github\", \"git-hub\"]: expected a list of kinds of secrets, which are adafruit, age-key, ",
        ),
        ("[memory]\nshorten_tool_results = 1", "memory.shorten_tool_results = 1: expected true or false"),
        ("[memory]\nmask_secrets = \"yes\"", "memory.mask_secrets = \"yes\": expected true or false"),
        ("[store]\nretain = \"all\"", "store.retain = \"all\": expected \"turns\" or \"spans\""),
        ("[store]\ndirectory = \"\"", "store.directory = \"\": expected a path"),
        (
            "[models]\nreader = \"gemma\"",
            "models.reader = \"gemma\": expected a short name (embeddinggemma-300m, multilingual-e5-small, all-minilm-l6-v2, ",
        ),
        ("[models]\nchat = \"qwen\"", "models.chat = \"qwen\": expected a short name ("),
        ("[models]\nchat_sha256 = \"0\"", "models.chat_sha256 = \"0\": expected 64 hexadecimal digits"),
        (
            "[models]\nreader = \"hf:gemma\"",
            "models.reader = \"hf:gemma\": expected hf:organisation/repository/file.gguf",
        ),
        ("[models]\nreader_sha256 = \"+f\"", "models.reader_sha256 = \"+f\": expected 64 hexadecimal digits"),
        ("[models]\nsources = []", "models.sources = []: expected a list, not empty"),
        ("[models]\nsources = [\"pip\"]", "models.sources = [\"pip\"]: expected a list, not empty, of"),
        ("[reader]\nkeep = 0", "reader.keep = 0: expected a share over 0 and at most 1"),
        ("[reader]\nkeep = nan", "reader.keep = NaN: expected a share over 0 and at most 1"),
        (
            "[reader]\npassage_tokens = 31",
            "reader.passage_tokens = 31: expected 0, which is the model's own choice, or a whole number from 32 to 8192",
        ),
        ("[reader]\npassage_tokens = -1", "reader.passage_tokens = -1: expected 0"),
        ("[log]\nfilter = \"mainpoint=loud\"", "log.filter = \"mainpoint=loud\": expected a log filter"),
    ];
    for (text, expected) in cases {
        let error = refusal(text);
        assert!(error.contains(expected), "{text}\n  gave: {error}\n  expected: {expected}");
    }
}
