//! Modules of a crate use each other one way only: what a module uses never leads back to it.
//!
//! Every module counts by itself, also a parent and its child. A crate's own unit tests are not looked at.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
};

/// The path from the crate's root, such as `server::table`; the root itself is the empty one.
type Module = Vec<String>;
/// What each module uses.
type Arrows = BTreeMap<Module, BTreeSet<Module>>;

#[test]
fn no_module_of_these_crates_uses_itself_through_others() {
    for name in ["test-client", "lab/lab", "lab/hostile-peer", "lab/stock-tonic", "lab/bench"] {
        let root = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../..")).join(name).join("src");
        let mut files = BTreeMap::new();
        read(&root, &[], &mut files);
        assert!(
            files.contains_key(&Module::new()),
            "{name} has no lib.rs or main.rs, or it is not where this test looks"
        );
        assert_eq!(cycle(arrows(&files)), None, "modules of {name} that use each other");
    }
}

#[test]
fn an_arrow_back_is_found_in_every_form_of_a_path() {
    for back in ["use crate::a::X;", "use crate::{b::c, a::{X, Y}};", "use super::a::X;", "fn f() { super::a::x() }"] {
        let files = [("", "mod a; mod b;"), ("a", "use crate::b::Y;"), ("b", back)];
        let files = files.map(|(name, text)| (path(name), text.to_owned()));
        assert_eq!(cycle(arrows(&BTreeMap::from(files))).as_deref(), Some("a -> b -> a"), "{back}");
    }
}

#[test]
fn a_child_that_uses_its_parent_is_an_arrow_back_where_the_parent_uses_the_child() {
    let files = |child: &str| {
        let files = [("", "mod a;"), ("a", "mod b; pub use b::Y;"), ("a::b", child), ("a::c", "")];
        BTreeMap::from(files.map(|(name, text)| (path(name), text.to_owned())))
    };
    assert_eq!(cycle(arrows(&files("use super::X;"))).as_deref(), Some("a -> a::b -> a"));
    assert_eq!(
        cycle(arrows(&files("use super::c::X; // super::X\n#[cfg(test)] mod tests { use super::super::X; }"))),
        None
    );
}

fn path(name: &str) -> Module {
    name.split("::").filter(|part| !part.is_empty()).map(str::to_owned).collect()
}

/// The text of each module below a folder, without its comments and without its own tests.
fn read(folder: &Path, at: &[String], files: &mut BTreeMap<Module, String>) {
    for entry in fs::read_dir(folder).unwrap() {
        let file = entry.unwrap().path();
        let stem = file.file_stem().unwrap().to_str().unwrap();
        let module = [at, &[stem.to_owned()]].concat();
        if file.is_dir() {
            read(&file, &module, files);
        } else {
            // A crate without a library has its root in main.rs.
            let is_root = matches!(stem, "lib" | "mod") || stem == "main" && !folder.join("lib.rs").exists();
            let module = if is_root { at.to_vec() } else { module };
            files.insert(module, fs::read_to_string(&file).unwrap());
        }
    }
}

fn arrows(files: &BTreeMap<Module, String>) -> Arrows {
    let arrow = |from: &Module, path: Module| {
        let to = (0..=path.len()).rev().map(|length| path[..length].to_vec()).find(|path| files.contains_key(path))?;
        (to != *from).then_some(to)
    };
    files
        .iter()
        .map(|(from, text)| (from.clone(), paths(from, text).filter_map(|path| arrow(from, path)).collect()))
        .collect()
}

/// Every path in the text that begins with `crate`, `self`, `super` or a child's name, from the crate's root on.
fn paths(module: &Module, text: &str) -> impl Iterator<Item = Module> {
    let code = text.lines().map(|line| line.split("//").next().unwrap_or_default()).collect::<Vec<_>>().join("\n");
    let code = code.split("#[cfg(test)]").next().unwrap_or_default().to_owned();
    let tokens = tokens(&code);
    let children: BTreeSet<&String> =
        tokens.windows(3).filter(|it| it[0] == "mod" && it[2] == ";").map(|it| &it[1]).collect();
    let mut found = Vec::new();
    for at in 0..tokens.len() {
        let first = &tokens[at];
        let begins = at == 0 || tokens[at - 1] != "::";
        let is_path = tokens.get(at + 1).is_some_and(|next| next == "::");
        if begins && is_path && (["crate", "self", "super"].contains(&first.as_str()) || children.contains(first)) {
            branches(&tokens, at, module, &mut found);
        }
    }
    found.into_iter()
}

/// Follows one path, or each branch of a tree in braces; answers where it ends.
fn branches(tokens: &[String], mut at: usize, before: &Module, found: &mut Vec<Module>) -> usize {
    let mut path = before.clone();
    loop {
        match tokens.get(at).map(String::as_str) {
            Some("crate") => path.clear(),
            Some("super") => drop(path.pop()),
            Some("self") => {}
            Some("{") => {
                at += 1;
                while tokens.get(at).is_some_and(|token| token != "}") {
                    at = branches(tokens, at, &path, found);
                    at += usize::from(tokens.get(at).is_some_and(|token| token == ","));
                }
                return at + 1;
            }
            Some(name) => path.push(name.to_owned()),
            None => {}
        }
        at += 1;
        if tokens.get(at).is_none_or(|token| token != "::") {
            found.push(path);
            let renamed = tokens.get(at).is_some_and(|token| token == "as");
            return if renamed { at + 2 } else { at };
        }
        at += 1;
    }
}

/// Names, `::`, and every other character by itself.
fn tokens(code: &str) -> Vec<String> {
    let code = code.replace("::", "\u{0}");
    let is_name = |c: char| c.is_alphanumeric() || c == '_';
    let mut tokens: Vec<String> = Vec::new();
    let mut inside = false;
    for c in code.chars() {
        match tokens.last_mut() {
            Some(last) if inside && is_name(c) => last.push(c),
            _ if c.is_whitespace() => {}
            _ => tokens.push(if c == '\u{0}' { "::".into() } else { c.into() }),
        }
        inside = is_name(c);
    }
    tokens
}

/// One way that leads back to where it began: what uses nothing that is left is taken away until only cycles are left.
fn cycle(mut arrows: Arrows) -> Option<String> {
    loop {
        let done: Vec<Module> = arrows.iter().filter(|(_, to)| to.is_empty()).map(|(from, _)| from.clone()).collect();
        if done.is_empty() {
            break;
        }
        arrows.retain(|from, _| !done.contains(from));
        arrows.values_mut().for_each(|to| to.retain(|to| !done.contains(to)));
    }
    let mut way = vec![arrows.keys().next()?];
    loop {
        let next = arrows[*way.last()?].first()?;
        let known = way.iter().position(|known| *known == next);
        way.push(next);
        if let Some(known) = known {
            return Some(way[known..].iter().map(|module| module.join("::")).collect::<Vec<_>>().join(" -> "));
        }
    }
}
