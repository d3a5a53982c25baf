//! Patterns for a text that a peer says.

/// Whether `text` is what `glob` describes: `*` any text, `?` any one character, all else itself.
///
/// Takes as many steps as the product of the two lengths at most: the text is a peer's.
pub fn matches(glob: &str, text: &str) -> bool {
    let [glob, text] = [glob, text].map(|text| text.chars().collect::<Vec<_>>());
    let (mut at, mut pos) = (0, 0);
    // Where the last `*` stands, and up to where it reaches so far.
    let mut star = None;
    while pos < text.len() {
        match (glob.get(at), star) {
            (Some('*'), _) => {
                star = Some((at, pos));
                at += 1;
            }
            (Some(c), _) if *c == '?' || *c == text[pos] => {
                at += 1;
                pos += 1;
            }
            (_, Some((star_at, reach))) => {
                star = Some((star_at, reach + 1));
                at = star_at + 1;
                pos = reach + 1;
            }
            (_, None) => return false,
        }
    }
    glob[at..].iter().all(|c| *c == '*')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn matches_globs_over_the_whole_text() {
        for (glob, text) in [
            ("service-a/*", "service-a/host-1"),
            ("*", ""),
            ("*, service-a/?", "service-b/1, service-a/é"),
            ("a*b*c", "abbcbc"),
            ("a**?", "ab"),
            ("*a*a*a*a*a*a*a*a*a*a*", &"a".repeat(10_000)),
        ] {
            assert!(matches(glob, text), "{glob} {text}");
        }
        for (glob, text) in [
            ("service-a", "service-a/1"),
            ("?", ""),
            ("a*c", "ab"),
            ("", "x"),
            ("a.c", "abc"),
            ("*a*a*a*a*a*a*a*a*a*b", &"a".repeat(10_000)),
        ] {
            assert!(!matches(glob, text), "{glob} {text}");
        }
    }
}
