//! Hides what differs from run to run: times, ids, hashes.

/// A text with times as `[TIME]`, UUIDs as `[UUID]`, their first characters as `[SHORT]`, hashes as `[HASH]`, commits as `[COMMIT]`, plan ids as `[PLAN]` and
/// the chance part of set names as `[SET]`.
pub fn redact(text: &str) -> String {
    let chars: Vec<char> = text.chars().collect();
    let mut out = String::new();
    let mut at = 0;
    while at < chars.len() {
        let bounded = at == 0 || !chars[at - 1].is_ascii_alphanumeric();
        if bounded && let Some((length, name)) = volatile(&chars[at..], &out) {
            out.push_str(name);
            at += length;
        } else {
            out.push(chars[at]);
            at += 1;
        }
    }
    out
}

fn volatile(chars: &[char], before: &str) -> Option<(usize, &'static str)> {
    let shape: String = chars
        .iter()
        .take(65)
        .map(|c| match c {
            '0'..='9' => 'd',
            'a'..='f' => 'x',
            other => *other,
        })
        .collect();
    for pattern in [
        "dddd-dd-ddTdd:dd:dd.dddZ",
        "dddd-dd-ddTdd:dd:ddZ",
        "dddd-dd-dd dd:dd:dd",
        "dddd-dd-dd dd:dd",
    ] {
        if shape.starts_with(pattern) {
            return Some((pattern.len(), "[TIME]"));
        }
    }
    if shape.starts_with("dddd-dd-dd") && !shape[10..].starts_with(|c: char| c.is_ascii_digit()) {
        return Some((10, "[DATE]"));
    }
    // Hexadecimal digits are ASCII: what comes after the first other letter does not count.
    let hex: String = shape.replace('x', "d").chars().take_while(char::is_ascii).collect();
    let run = |length: usize| {
        hex.len() >= length
            && hex[..length].bytes().all(|b| b == b'd')
            && !hex[length..].starts_with(|c: char| c.is_ascii_alphanumeric())
    };
    if hex.starts_with("dddddddd-dddd-dddd-dddd-dddddddddddd") {
        return Some((36, "[UUID]"));
    }
    if run(64) {
        return Some((64, "[HASH]"));
    }
    if run(40) {
        return Some((40, "[COMMIT]"));
    }
    if run(32) {
        return Some((32, "[LINEAGE]"));
    }
    if run(8) && before.ends_with("partnerctl repair ") {
        return Some((8, "[SHORT]"));
    }
    if run(12) {
        return Some((12, "[PLAN]"));
    }
    if run(6) && (before.ends_with('-') || shape[..6].contains('x')) {
        return Some((6, "[SET]"));
    }
    None
}
