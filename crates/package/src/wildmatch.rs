//! Matches a pattern of an ignore file as git does: its `wildmatch.c`, step by step, quirks included. Git compares bytes.

/// What comes of comparing a text with a pattern.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Outcome {
    Match,
    NoMatch,
    /// No text that begins later matches either.
    AbortAll,
    /// Only a `**` that comes before may still match.
    AbortToStarStar,
}

/// Whether `text` matches `pattern`. In a path, only `**` goes over a slash; elsewhere there is none.
pub(super) fn is_match(pattern: &str, text: &str, is_path: bool) -> bool {
    compare(pattern.as_bytes(), text.as_bytes(), is_path) == Outcome::Match
}

/// Whether a pattern gives this byte a meaning of its own.
pub(super) fn is_special(byte: u8) -> bool {
    matches!(byte, b'*' | b'?' | b'[' | b'\\')
}

/// The byte at a place, 0 at the end as in C: neither a pattern nor a name holds one.
fn at(bytes: &[u8], place: usize) -> u8 {
    bytes.get(place).copied().unwrap_or(0)
}

fn compare(pattern: &[u8], text: &[u8], is_path: bool) -> Outcome {
    let (mut p, mut t) = (0, 0);
    while p < pattern.len() {
        let byte = at(text, t);
        if byte == 0 && pattern[p] != b'*' {
            return Outcome::AbortAll;
        }
        match pattern[p] {
            b'*' => match star(pattern, p, &text[t..], is_path) {
                Star::Ends(outcome) => return outcome,
                Star::Folder { next, skipped } => (p, t) = (next, t + skipped),
            },
            b'?' if is_path && byte == b'/' => return Outcome::NoMatch,
            b'?' => {}
            b'[' => match class(pattern, p, byte) {
                None => return Outcome::AbortAll,
                Some((false, _)) => return Outcome::NoMatch,
                Some((true, _)) if is_path && byte == b'/' => return Outcome::NoMatch,
                Some((true, end)) => p = end,
            },
            b'\\' => {
                p += 1;
                if at(pattern, p) != byte {
                    return Outcome::NoMatch;
                }
            }
            other if other != byte => return Outcome::NoMatch,
            _ => {}
        }
        (p, t) = (p + 1, t + 1);
    }
    if t < text.len() { Outcome::NoMatch } else { Outcome::Match }
}

/// What stars in a pattern come to.
enum Star {
    /// The comparison is over.
    Ends(Outcome),
    /// One star stood for the rest of a folder's name: both go on at the slash behind it.
    Folder { next: usize, skipped: usize },
}

/// Compares from the stars at `start` on with what is left of the text.
fn star(pattern: &[u8], start: usize, text: &[u8], is_path: bool) -> Star {
    let mut p = start + 1;
    let mut over_slashes = !is_path;
    if at(pattern, p) == b'*' {
        while at(pattern, p) == b'*' {
            p += 1;
        }
        let begins = start == 0 || pattern[start - 1] == b'/';
        let ends = matches!(at(pattern, p), 0 | b'/') || pattern[p..].starts_with(b"\\/");
        if is_path && begins && ends {
            // `**/` stands for no folder, too.
            if at(pattern, p) == b'/' && compare(&pattern[p + 1..], text, is_path) == Outcome::Match {
                return Star::Ends(Outcome::Match);
            }
            over_slashes = true;
        }
    }
    let slash = text.iter().position(|byte| *byte == b'/');
    if p == pattern.len() {
        let is_matched = over_slashes || slash.is_none();
        return Star::Ends(if is_matched { Outcome::Match } else { Outcome::AbortToStarStar });
    }
    if !over_slashes && pattern[p] == b'/' {
        return match slash {
            Some(skipped) => Star::Folder { next: p, skipped },
            None => Star::Ends(Outcome::AbortAll),
        };
    }
    Star::Ends(try_each(&pattern[p..], text, is_path, over_slashes))
}

/// Compares a pattern that follows a star with each rest of the text.
fn try_each(pattern: &[u8], text: &[u8], is_path: bool, over_slashes: bool) -> Outcome {
    for t in 0..text.len() {
        match compare(pattern, &text[t..], is_path) {
            Outcome::NoMatch if !over_slashes && text[t] == b'/' => return Outcome::AbortToStarStar,
            Outcome::NoMatch => {}
            Outcome::AbortToStarStar if over_slashes => {}
            outcome => return outcome,
        }
    }
    Outcome::AbortAll
}

/// Whether a byte is in the class that begins at `start`, and where the class ends; `None` for what is no class.
fn class(pattern: &[u8], start: usize, byte: u8) -> Option<(bool, usize)> {
    let mut p = start + 1;
    let is_negated = matches!(at(pattern, p), b'!' | b'^');
    if is_negated {
        p += 1;
    }
    let (mut is_in, mut before) = (false, 0);
    loop {
        let mut this = *pattern.get(p)?;
        if this == b'\\' {
            p += 1;
            this = *pattern.get(p)?;
            is_in |= this == byte;
        } else if this == b'-' && before != 0 && !matches!(at(pattern, p + 1), 0 | b']') {
            p += 1;
            if pattern[p] == b'\\' {
                p += 1;
            }
            is_in |= (before..=*pattern.get(p)?).contains(&byte);
            this = 0;
        } else if this == b'[' && at(pattern, p + 1) == b':' {
            let name = p + 2;
            let end = name + pattern.get(name..)?.iter().position(|byte| *byte == b']')?;
            if end > name && pattern[end - 1] == b':' {
                is_in |= is_in_named_class(&pattern[name..end - 1], byte)?;
                (p, this) = (end, 0);
            } else {
                is_in |= byte == b'[';
            }
        } else {
            is_in |= this == byte;
        }
        (before, p) = (this, p + 1);
        if at(pattern, p) == b']' {
            return Some((is_in != is_negated, p));
        }
    }
}

fn is_in_named_class(name: &[u8], byte: u8) -> Option<bool> {
    Some(match name {
        b"alnum" => byte.is_ascii_alphanumeric(),
        b"alpha" => byte.is_ascii_alphabetic(),
        b"blank" => matches!(byte, b' ' | b'\t'),
        b"cntrl" => byte.is_ascii_control(),
        b"digit" => byte.is_ascii_digit(),
        b"graph" => byte.is_ascii_graphic(),
        b"lower" => byte.is_ascii_lowercase(),
        b"print" => byte.is_ascii_graphic() || byte == b' ',
        b"punct" => byte.is_ascii_punctuation(),
        b"space" => byte.is_ascii_whitespace() || byte == 0x0b,
        b"upper" => byte.is_ascii_uppercase(),
        b"xdigit" => byte.is_ascii_hexdigit(),
        _ => return None,
    })
}
