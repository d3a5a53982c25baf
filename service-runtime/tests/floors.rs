//! The arrows between the modules of this crate go down, floor by floor, never up or sideways, and none of them comes back to where
//! it began. `src/lib.rs` draws the floors.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

/// From the ground up; the modules of a floor know nothing of each other.
const FLOORS: [&[&str]; 8] = [
    &["fields", "printable"],
    &["address", "deadline", "frames", "generated", "grpc", "identity", "methods", "output", "process", "shutdown"],
    &["status"],
    &["context", "origin", "telemetry"],
    &["client", "layers"],
    &["server"],
    &["cli"],
    &["harness"],
];

/// A file, by its module path without the crate: `["server", "wire"]`.
type Module = Vec<String>;

/// What each file of `src/` uses of this crate, tests left out.
fn arrows() -> BTreeMap<Module, BTreeSet<Module>> {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    collect(&src, &mut files);
    let modules: BTreeMap<Module, String> =
        files.iter().map(|file| (module(&src, file), fs::read_to_string(file).unwrap())).collect();
    let reexports = modules.iter().map(|(module, text)| (module.clone(), reexports(module, text))).collect();
    modules.iter().map(|(module, text)| (module.clone(), uses(module, text, &modules, &reexports))).collect()
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_stem().unwrap().to_str().unwrap();
        if path.is_dir() {
            collect(&path, files);
        } else if path.extension().is_some_and(|ext| ext == "rs") && name != "tests" && !name.contains('.') {
            files.push(path);
        }
    }
}

/// `src/server/wire.rs` is `server::wire`, `src/server/mod.rs` is `server`.
fn module(src: &Path, file: &Path) -> Module {
    let path = file.strip_prefix(src).unwrap().with_extension("");
    let mut parts: Module = path.iter().map(|part| part.to_str().unwrap().to_owned()).collect();
    if matches!(parts.last().map(String::as_str), Some("mod" | "lib")) {
        parts.pop();
    }
    parts
}

/// The paths of the `use` declarations of a file before its tests, braces spelled out.
fn use_paths(text: &str) -> Vec<(bool, Vec<String>)> {
    let product = text.split("#[cfg(test)]\nmod tests").next().unwrap();
    let mut paths = Vec::new();
    for part in product.split(';') {
        let Some(at) = part.lines().position(|line| {
            line.trim_start().starts_with("use ") || line.contains("pub use ") || line.contains(") use ")
        }) else {
            continue;
        };
        let declaration = part.lines().skip(at).collect::<Vec<_>>().join(" ");
        let is_public = declaration.trim_start().starts_with("pub");
        let tree = declaration.split_once("use ").unwrap().1;
        spell_out(&mut Vec::new(), tree, &mut |path| paths.push((is_public, path)));
    }
    paths
}

/// `a::{b, c::d}` → `a::b`, `a::c::d`.
fn spell_out(prefix: &mut Vec<String>, tree: &str, found: &mut impl FnMut(Vec<String>)) {
    let (mut depth, mut begin) = (0, 0);
    let mut parts = Vec::new();
    for (index, letter) in tree.char_indices() {
        match letter {
            '{' => depth += 1,
            '}' => depth -= 1,
            ',' if depth == 0 => {
                parts.push(&tree[begin..index]);
                begin = index + 1;
            }
            _ => {}
        }
    }
    parts.push(&tree[begin..]);
    for part in parts.into_iter().map(str::trim).filter(|part| !part.is_empty()) {
        match part.split_once('{') {
            None => {
                let path = part.split(" as ").next().unwrap();
                let names = path.split("::").map(|name| name.trim().to_owned());
                found(prefix.iter().cloned().chain(names).collect());
            }
            Some((head, rest)) => {
                let length = prefix.len();
                prefix.extend(
                    head.trim().trim_end_matches("::").split("::").filter(|name| !name.is_empty()).map(str::to_owned),
                );
                spell_out(prefix, rest.trim_end().strip_suffix('}').unwrap(), found);
                prefix.truncate(length);
            }
        }
    }
}

/// A path as written in `module`, from the crate's root; `None` where it leads out of the crate.
fn from_root(module: &Module, path: &[String]) -> Option<Module> {
    let ups = path.iter().take_while(|name| *name == "super").count();
    match path.first()?.as_str() {
        "crate" => Some(path[1..].to_vec()),
        "super" => Some([&module[..module.len().checked_sub(ups)?], &path[ups..]].concat()),
        "self" => Some([module, &path[1..]].concat()),
        _ => None,
    }
}

/// What a module offers under its own name out of others: name → the path behind it.
fn reexports(module: &Module, text: &str) -> BTreeMap<String, Module> {
    let public = use_paths(text).into_iter().filter(|(is_public, _)| *is_public);
    public
        .filter_map(|(_, path)| {
            let name = path.last()?.clone();
            Some((name, from_root(module, &path).unwrap_or_else(|| [module, &path[..]].concat())))
        })
        .collect()
}

fn uses(
    module: &Module,
    text: &str,
    modules: &BTreeMap<Module, String>,
    reexports: &BTreeMap<Module, BTreeMap<String, Module>>,
) -> BTreeSet<Module> {
    let own = use_paths(text).into_iter().filter(|(is_public, _)| !is_public);
    let paths = own.filter_map(|(_, path)| from_root(module, &path));
    let owners = paths.chain(inline(text)).map(|path| owner(&path, modules, reexports));
    owners.filter(|owner| owner != module && !owner.is_empty()).collect()
}

/// Paths such as `crate::layers::Handle` in the midst of code.
fn inline(text: &str) -> Vec<Module> {
    let product = text.split("#[cfg(test)]\nmod tests").next().unwrap();
    let lines = product.lines().filter(|line| !line.trim_start().starts_with("//"));
    let paths = lines.flat_map(|line| line.split("crate::").skip(1).map(str::to_owned).collect::<Vec<_>>());
    let whole =
        |path: String| path.split(|c: char| !c.is_alphanumeric() && c != '_' && c != ':').next().unwrap().to_owned();
    paths.map(|path| whole(path).split("::").filter(|name| !name.is_empty()).map(str::to_owned).collect()).collect()
}

/// The file in which the thing at `path` is.
fn owner(
    path: &Module,
    modules: &BTreeMap<Module, String>,
    reexports: &BTreeMap<Module, BTreeMap<String, Module>>,
) -> Module {
    let length = (0..=path.len()).rev().find(|length| modules.contains_key(&path[..*length])).unwrap();
    let home = path[..length].to_vec();
    match path.get(length).and_then(|name| reexports[&home].get(name)) {
        Some(behind) if *behind != *path => owner(behind, modules, reexports),
        _ => home,
    }
}

#[test]
fn arrows_between_floors_go_down() {
    let floor = |module: &Module| {
        let name = module[0].as_str();
        FLOORS.iter().position(|floor| floor.contains(&name)).unwrap_or_else(|| panic!("{name} has no floor"))
    };
    for (module, used) in arrows().iter().filter(|(module, _)| !module.is_empty()) {
        for used in used.iter().filter(|used| used[0] != module[0]) {
            let (from, to) = (module.join("::"), used.join("::"));
            assert!(floor(used) < floor(module), "{from} uses {to}, which is not on a floor below it");
        }
    }
}

#[test]
fn no_file_needs_itself_by_way_of_others() {
    let arrows = arrows();
    for begin in arrows.keys() {
        let mut reached: BTreeSet<&Module> = BTreeSet::new();
        let mut next: Vec<&Module> = arrows[begin].iter().collect();
        while let Some(module) = next.pop() {
            assert!(module != begin, "{} needs itself, by way of {:?}", begin.join("::"), reached);
            if reached.insert(module) {
                next.extend(&arrows[module]);
            }
        }
    }
}

#[test]
fn sees_the_arrows_that_there_are() {
    let arrows = arrows();
    let uses = |from: &str, to: &str| {
        let module = |path: &str| path.split("::").map(str::to_owned).collect::<Module>();
        arrows[&module(from)].contains(&module(to))
    };
    assert!(uses("server::worker", "layers::user") && uses("layers::record", "methods"));
    assert!(uses("server::wire", "server::flood") && uses("client::replica", "client::connection"));
    assert!(!uses("server::flood", "server::wire"));
}
