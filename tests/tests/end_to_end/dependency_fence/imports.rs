//! What the files of a crate use of each other, by the paths in their `use` lines and in their code; tests are left out.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

/// The path of a module within its crate; empty for the crate's root.
type Module = Vec<String>;

/// Which modules import which, by files.
pub(super) struct Imports(BTreeMap<Module, BTreeSet<Module>>);

impl Imports {
    /// Reads all files below a crate's `src`.
    pub(super) fn new(source: &Path) -> Self {
        let sources = super::sources(source);
        let below = |file: &Path| file.strip_prefix(source).expect("a file below it").to_path_buf();
        let files: Vec<(Module, String)> = sources
            .iter()
            .filter(|file| !is_test(&below(file)))
            .map(|file| {
                let text = fs::read_to_string(file).expect("a source file");
                (module_of(&below(file)), text)
            })
            .collect();
        let tests: BTreeSet<Module> = files.iter().flat_map(|(module, text)| test_modules(module, text)).collect();
        let is_product = |module: &Module| (1..=module.len()).all(|end| !tests.contains(&module[..end]));
        let files: Vec<(Module, String)> = files.into_iter().filter(|(module, _)| is_product(module)).collect();
        let modules: BTreeSet<&Module> = files.iter().map(|(module, _)| module).collect();
        let imported = files.iter().map(|(module, text)| {
            let paths = paths(text).into_iter().filter_map(|path| absolute(module, &path));
            let files = paths.map(|path| file_of(&path, &modules));
            (module.clone(), files.filter(|file| file != module).collect())
        });
        Self(imported.collect())
    }

    /// Which folders, or files beside them, import which others. A crate's root imports everything and is no folder.
    pub(super) fn between_folders(&self) -> BTreeMap<String, BTreeSet<String>> {
        self.between_parts_of(&[])
    }

    /// Which folders and files of the folder `parent`, whose name they bear as well, import which others. A file beside a folder of its
    /// name is a part of that folder, and so is `mod.rs` in it; `parent` itself is none of its parts.
    fn between_parts_of(&self, parent: &[String]) -> BTreeMap<String, BTreeSet<String>> {
        let part = |module: &Module| {
            let part = module.get(..=parent.len()).filter(|part| part.starts_with(parent));
            part.map(|part| part.join("/"))
        };
        let mut arrows: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        for (from, to) in &self.0 {
            let Some(from) = part(from) else { continue };
            let to: Vec<String> = to.iter().filter_map(part).filter(|to| *to != from).collect();
            arrows.entry(from).or_default().extend(to);
        }
        arrows
    }

    /// Folders, or files beside them, that import each other, at whatever level: each list is one circle.
    pub(super) fn circles_of_folders(&self) -> Vec<Vec<String>> {
        let parents = self.0.keys().flat_map(|module| (0..module.len()).map(|end| &module[..end]));
        let parents: BTreeSet<&[String]> = parents.collect();
        parents.into_iter().flat_map(|parent| circles(&self.between_parts_of(parent))).collect()
    }

    /// Files that import each other, directly or through others: each list is one circle. What a file takes from those that it is
    /// a part of, as `a/b.rs` from `a/mod.rs`, makes none.
    pub(super) fn circles(&self) -> Vec<Vec<String>> {
        let named: BTreeMap<String, BTreeSet<String>> = self
            .0
            .iter()
            .filter(|(from, _)| !from.is_empty())
            .map(|(from, to)| {
                let others = to.iter().filter(|to| !from.starts_with(to));
                (from.join("/"), others.map(|to| to.join("/")).collect())
            })
            .collect();
        circles(&named)
    }
}

/// Nodes that reach each other, a list for each such group.
fn circles(arrows: &BTreeMap<String, BTreeSet<String>>) -> Vec<Vec<String>> {
    let reached = |from: &String| {
        let mut seen = BTreeSet::new();
        let mut next: Vec<&String> = arrows.get(from).into_iter().flatten().collect();
        while let Some(node) = next.pop() {
            if seen.insert(node.clone()) {
                next.extend(arrows.get(node).into_iter().flatten());
            }
        }
        seen
    };
    let all: BTreeMap<&String, BTreeSet<String>> = arrows.keys().map(|node| (node, reached(node))).collect();
    let mut groups = BTreeSet::new();
    for (node, reached) in &all {
        let back = |other: &&String| all.get(other).is_some_and(|reached| reached.contains(*node));
        let group: Vec<String> = reached.iter().filter(back).cloned().collect();
        if group.len() > 1 {
            groups.insert(group);
        }
    }
    groups.into_iter().collect()
}

/// The modules that a file declares for tests only.
fn test_modules(module: &[String], text: &str) -> Vec<Module> {
    let declared = text.split("#[cfg(test)]\n").skip(1).filter_map(|after| {
        let (line, _) = after.split_once(';')?;
        let (_, name) = line.split_once("mod ")?;
        let is_name = name.chars().all(|character| character.is_alphanumeric() || character == '_');
        is_name.then(|| module.iter().cloned().chain([name.to_owned()]).collect())
    });
    declared.collect()
}

fn is_test(file: &Path) -> bool {
    let name = |part: &std::ffi::OsStr| part.to_string_lossy().trim_end_matches(".rs").to_owned();
    file.iter().map(name).any(|name| name == "tests" || name.ends_with("_tests"))
}

fn module_of(file: &Path) -> Module {
    let mut parts: Module = file.with_extension("").iter().map(|part| part.to_string_lossy().into_owned()).collect();
    if parts.last().is_some_and(|last| ["mod", "lib", "main"].contains(&last.as_str())) {
        parts.pop();
    }
    parts
}

/// How paths within a crate begin.
const STARTS: [&str; 3] = ["crate::", "self::", "super::"];

/// The paths within the crate that a file names, in `use` lines one for each name; those in comments and in its test module are
/// left out.
fn paths(text: &str) -> Vec<String> {
    let text = text.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default();
    let code: Vec<&str> = text.lines().map(|line| line.split("// ").next().unwrap_or_default()).collect();
    let code: Vec<&str> = code.into_iter().filter(|line| !line.trim_start().starts_with("//")).collect();
    let code = code.join("\n");
    let mut found = Vec::new();
    for piece in code.split("use ") {
        match piece.split_once(';') {
            Some((tree, rest)) if STARTS.iter().any(|start| tree.starts_with(start)) => {
                let tree: String = tree.split_whitespace().collect();
                expand("", &tree, &mut found);
                inline(rest, &mut found);
            }
            _ => inline(piece, &mut found),
        }
    }
    found
}

/// The paths in expressions, types and visibilities.
fn inline(code: &str, found: &mut Vec<String>) {
    let is_of_path = |character: char| character.is_alphanumeric() || "_:".contains(character);
    for start in STARTS {
        for (at, _) in code.match_indices(start) {
            let (before, path) = code.split_at(at);
            if !before.ends_with(|character: char| is_of_path(character) || character == '$') {
                let end = path.find(|character: char| !is_of_path(character)).unwrap_or(path.len());
                found.push(path.split_at(end).0.trim_end_matches(':').to_owned());
            }
        }
    }
}

/// `a::{b, c::d}` as `a::b` and `a::c::d`.
fn expand(before: &str, tree: &str, found: &mut Vec<String>) {
    let Some((head, inner)) = tree.split_once('{') else {
        found.push(format!("{before}{tree}"));
        return;
    };
    let (before, inner) = (format!("{before}{head}"), inner.strip_suffix('}').unwrap_or(inner));
    let (mut depth, mut start) = (0, 0);
    for (at, character) in inner.char_indices().chain([(inner.len(), ',')]) {
        match character {
            '{' => depth += 1,
            '}' => depth -= 1,
            ',' if depth == 0 => {
                let part = inner.get(start..at).unwrap_or_default();
                if !part.is_empty() {
                    expand(&before, part, found);
                }
                start = at + 1;
            }
            _ => {}
        }
    }
}

/// A path as it is from the crate's root.
fn absolute(module: &[String], path: &str) -> Option<Module> {
    let mut base = module.to_vec();
    let mut parts = path.split("::").peekable();
    while let Some(part) = parts.next_if(|part| ["crate", "self", "super"].contains(part)) {
        match part {
            "crate" => base.clear(),
            "super" => drop(base.pop()?),
            _ => {}
        }
    }
    base.extend(parts.map(str::to_owned));
    Some(base)
}

/// The file that a path lies in: the longest beginning of it that is a file's module.
fn file_of(path: &[String], modules: &BTreeSet<&Module>) -> Module {
    let mut module = path.to_vec();
    while !module.is_empty() && !modules.contains(&module) {
        module.pop();
    }
    module
}

#[test]
fn use_lines_are_read_whatever_their_shape() {
    let text = "use crate::a::{b, c::{self, D}};\npub(crate) use super::e::F;\nuse std::fmt;\n#[cfg(test)]\nmod tests {\n use crate::g; }";
    assert_eq!(paths(text), ["crate::a::b", "crate::a::c::self", "crate::a::c::D", "super::e::F"]);
    let module: Module = ["x", "y"].map(str::to_owned).to_vec();
    assert_eq!(absolute(&module, "super::e::F").expect("a path"), ["x", "e", "F"]);
    assert_eq!(absolute(&module, "crate::a::b").expect("a path"), ["a", "b"]);
}

#[test]
fn paths_in_code_are_read_and_those_in_comments_are_not() {
    let text = "/// Like [`crate::a`].\nuse super::b;\nfn f(x: crate::c::D) -> Self {\n    super::super::e::f(x, b::G) // crate::h\n}\n";
    assert_eq!(paths(text), ["super::b", "crate::c::D", "super::super::e::f"]);
    let text = "macro_rules! m {\n () => { $crate::a::b() };\n}\npub(in crate::c) struct S;\n";
    assert_eq!(paths(text), ["crate::c"]);
}

#[test]
fn modules_for_tests_are_told_from_others() {
    let text = "mod a;\n#[cfg(test)]\npub(crate) mod b;\nmod c;\n#[cfg(test)]\nmod tests {\n fn f() {} }";
    assert_eq!(test_modules(&["x".to_owned()], text), [["x", "b"]]);
}

#[test]
fn circles_are_found_and_lines_are_none() {
    let arrows = |pairs: &[(&str, &[&str])]| {
        let pairs = pairs.iter().map(|(from, to)| {
            let to = to.iter().map(|to| (*to).to_owned()).collect();
            ((*from).to_owned(), to)
        });
        pairs.collect::<BTreeMap<String, BTreeSet<String>>>()
    };
    assert!(circles(&arrows(&[("a", &["b", "c"]), ("b", &["c"]), ("c", &[])])).is_empty());
    assert_eq!(circles(&arrows(&[("a", &["b"]), ("b", &["c"]), ("c", &["a"]), ("d", &["a"])])), [["a", "b", "c"]]);
}

#[test]
fn folders_in_folders_that_import_each_other_are_found() {
    let module = |path: &str| path.split('/').map(str::to_owned).collect::<Module>();
    let imports = |pairs: &[(&str, &[&str])]| {
        let pairs = pairs.iter().map(|(from, to)| (module(from), to.iter().map(|to| module(to)).collect()));
        Imports(pairs.collect())
    };
    let circle = imports(&[("a/b/x", &["a/c"]), ("a/c", &["d"]), ("a/c/y", &["a/b"]), ("a/b", &["a"]), ("d", &[])]);
    assert_eq!(circle.circles_of_folders(), [["a/b", "a/c"]]);
    assert!(circle.circles().is_empty(), "none of its files");
    let line = imports(&[("a", &["a/b", "a/c"]), ("a/b/x", &["a/c/y", "a"]), ("a/c/y", &["a/c", "d"]), ("d", &[])]);
    assert!(line.circles_of_folders().is_empty());
}
