use std::fmt::Write as _;

use super::scale::Shade;
use super::visible::{Glyph, glyphs};
use super::{HeatmapPair, HeatmapSide, HeatmapToken, N_LEVELS, Scale};
use crate::report::{escape, page};

/// A whole self-contained HTML page with the heat-map of one pair and a table of every token's numbers.
///
/// ```
/// use sepo_cli::heatmap::{HeatmapPair, html};
/// let pair = HeatmapPair { title: "row 3".into(), ..Default::default() };
/// assert!(html(&pair).starts_with("<!doctype html>"));
/// ```
pub fn html(pair: &HeatmapPair) -> String {
    let scale = Scale::fit(std::slice::from_ref(pair));
    let mut body = format!("<header><h1>{}</h1></header>\n<main>\n<section>\n", escape(&pair.title));
    body.push_str(&legend(std::slice::from_ref(pair), scale));
    body.push_str(&pair_figure(&HeatmapPair { title: String::new(), ..pair.clone() }, scale));
    body.push_str("</section>\n");
    for side in &pair.sides {
        body.push_str(&token_table(side));
    }
    body.push_str("</main>\n");
    page(&pair.title, &body)
}

/// The pair as a `<figure>`; a pair without a title has no heading.
pub(crate) fn pair_figure(pair: &HeatmapPair, scale: Scale) -> String {
    let mut out = String::from("<figure class=\"pair\">\n");
    if !pair.title.is_empty() {
        let _ = writeln!(out, "<figcaption><h3>{}</h3></figcaption>", escape(&pair.title));
    }
    let _ = writeln!(
        out,
        "<div class=\"prompt\"><h4>Prompt</h4><div class=\"prompt-text\" tabindex=\"0\">{}</div></div>",
        escape(&pair.prompt)
    );
    out.push_str("<div class=\"sides\">\n");
    for side in &pair.sides {
        let _ = writeln!(
            out,
            "<div class=\"side\"><h4>{} <small>{}</small></h4>",
            escape(&side.name),
            escape(&side.summary())
        );
        out.push_str("<p class=\"tokens\">");
        for (position, token) in side.tokens.iter().enumerate() {
            out.push_str(&token_span(position, token, scale));
        }
        out.push_str("</p></div>\n");
    }
    out.push_str("</div>\n</figure>\n");
    out
}

fn token_span(position: usize, token: &HeatmapToken, scale: Scale) -> String {
    let mut class = String::from("t");
    match scale.shade(token.score) {
        Shade::Plain => {}
        Shade::Negative(level) => class.push_str(&format!(" n{level}")),
        Shade::Positive(level) => class.push_str(&format!(" p{level}")),
    }
    if token.selected {
        class.push_str(" sel");
    }
    if let Some(quality) = token.planted {
        class.push_str(&format!(" {}", quality.word()));
    }
    // Tokens stand without white space between them; a line may break before one that starts with a space.
    let may_break = if token.text.starts_with(' ') { "<wbr>" } else { "" };
    let ends_line = if token.text.ends_with('\n') { "<br>" } else { "" };
    format!(
        "{may_break}<span class=\"{class}\" title=\"{}\">{}</span>{ends_line}",
        escape(&tooltip(position, token)),
        visible_html(&token.text)
    )
}

/// `#17 · score +0.412 · oracle -1.203 · reference -1.615 · selected · planted good`.
fn tooltip(position: usize, token: &HeatmapToken) -> String {
    let mut parts = vec![format!("#{position}")];
    parts.push(token.score.map_or("not scored".into(), |score| format!("score {score:+.3}")));
    for (name, logp) in [("oracle", token.oracle_logp), ("reference", token.reference_logp)] {
        parts.extend(logp.map(|logp| format!("{name} log-prob {logp:.3}")));
    }
    parts.extend(token.selected.then(|| "selected".to_owned()));
    parts.extend(token.planted.map(|quality| format!("planted {}", quality.word())));
    parts.join(" · ")
}

/// Escaped text in which spaces and other invisible characters have a pale visible form.
fn visible_html(text: &str) -> String {
    let mut out = String::new();
    // The break after the last character stands outside the span, so that its background ends at the sign.
    let ends_line = text.ends_with('\n');
    let glyphs = glyphs(text);
    let n_shown = glyphs.len() - usize::from(ends_line);
    for glyph in &glyphs[..n_shown] {
        match glyph {
            Glyph::Text(c) => out.push_str(&escape(c.encode_utf8(&mut [0; 4]))),
            Glyph::Space => out.push_str("<i>·</i>"),
            Glyph::StandIn(c) => {
                let _ = write!(out, "<i>{c}</i>");
            }
            Glyph::LineBreak => out.push_str("<br>"),
        }
    }
    out
}

/// What the colours and marks mean, with the scale's end points.
pub(crate) fn legend(pairs: &[HeatmapPair], scale: Scale) -> String {
    let limit = scale.limit();
    let mut out = format!("<ul class=\"legend heat\">\n<li><span class=\"num\">≤ {:+.2}</span> ", -limit);
    out.push_str(
        "<span class=\"ramp\" role=\"img\" aria-label=\"from blue, negative, to orange, positive\">",
    );
    for level in (1..=N_LEVELS).rev() {
        let _ = write!(out, "<b class=\"n{level}\"></b>");
    }
    out.push_str("<b></b>");
    for level in 1..=N_LEVELS {
        let _ = write!(out, "<b class=\"p{level}\"></b>");
    }
    let _ = writeln!(out, "</span> <span class=\"num\">≥ {limit:+.2}</span> score, in nats</li>");
    if pairs.iter().flat_map(|pair| &pair.sides).any(|side| side.n_selected() > 0) {
        out.push_str("<li><span class=\"t sel\">token</span> selected</li>\n");
    }
    if pairs.iter().any(HeatmapPair::has_planted) {
        out.push_str(
            "<li><span class=\"t good\">token</span> planted: raises the utility</li>\n\
             <li><span class=\"t bad\">token</span> planted: lowers it</li>\n",
        );
    }
    out.push_str("<li><i>·</i> space, <i>↵</i> line break</li>\n</ul>\n");
    out
}

fn token_table(side: &HeatmapSide) -> String {
    let mut out = format!(
        "<section><h2>Tokens of {}</h2>\n<div class=\"scroll\" tabindex=\"0\"><table>\n<thead><tr><th class=\"num\">#</th>\
         <th>token</th><th class=\"num\">score</th><th class=\"num\">oracle</th><th class=\"num\">reference</th>\
         <th>selected</th><th>planted</th></tr></thead>\n<tbody>\n",
        escape(&side.name)
    );
    let number = |value: Option<f32>| value.map_or("–".to_owned(), |value| format!("{value:.3}"));
    for (position, token) in side.tokens.iter().enumerate() {
        let _ = writeln!(
            out,
            "<tr><td class=\"num\">{position}</td><td class=\"code\">{}</td><td class=\"num\">{}</td><td class=\"num\">{}</td>\
             <td class=\"num\">{}</td><td>{}</td><td>{}</td></tr>",
            visible_html(&token.text),
            number(token.score),
            number(token.oracle_logp),
            number(token.reference_logp),
            if token.selected { "yes" } else { "" },
            token.planted.map_or("", |quality| quality.word()),
        );
    }
    out.push_str("</tbody></table></div></section>\n");
    out
}
