//! The audit trail against its anchors: what hashes as it should and isn't what was.

use landfall::gateway::access::audit::hash;

use crate::populated;
use crate::tampering::Original;

/// A populated database, with the text of a file of anchors made of it.
async fn anchored() -> (Original, String) {
    let world = populated::world().await;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("anchors.jsonl");
    let written = world.app.gateway.anchor_heads(&path).await.unwrap();
    assert!(written > 0);
    assert_eq!(
        world.app.gateway.anchor_heads(&path).await.unwrap(),
        0,
        "heads that haven't moved aren't written again"
    );
    let text = std::fs::read_to_string(&path).unwrap();
    assert_eq!(text.lines().count(), written);
    (Original::of(world).await, text)
}

const DEMO: &str = "SELECT p.id::text, max(a.seq)::text FROM audit a JOIN partner p ON p.id = a.partner_id WHERE p.code = 'demo' GROUP BY p.id";

#[tokio::test(flavor = "multi_thread")]
async fn a_trail_that_was_cut_short_or_written_anew_is_found_by_its_anchors() {
    let (original, text) = anchored().await;
    let clean = original.anchored("SELECT 1", &text).await;
    assert!(clean.is_clean(), "{clean}");
    let demo = original.query(DEMO, "audit").await;
    let (partner, last) = (&demo[0], demo[1].parse::<i64>().unwrap());

    // The end is cut off, and the head says so: the chain itself is whole.
    let cut = format!(
        "DELETE FROM audit WHERE partner_id = '{partner}' AND seq = {last}; \
         UPDATE audit_head h SET seq = a.seq, hash = a.hash FROM audit a \
         WHERE h.partner_id = '{partner}' AND a.partner_id = h.partner_id AND a.seq = {last} - 1"
    );
    assert!(original.tampered(&cut).await.is_clean(), "nothing inside of the database tells");
    original.is_named(&cut, &text, &format!("audit {partner}/{last}")).await;

    // A row is edited, and the chain written anew from there on.
    let rows = original.audit_rows().await;
    let mut rows: Vec<_> = rows.into_iter().filter(|row| row.partner_id.0.to_string() == *partner).collect();
    rows[1].actor = "somebody".to_owned();
    let mut sql = format!("UPDATE audit SET actor = 'somebody' WHERE partner_id = '{partner}' AND seq = 2");
    for at in 1..rows.len() {
        let anew = hash(&rows[at - 1].hash.clone(), &rows[at]).to_vec();
        sql += &format!(
            "; UPDATE audit SET hash = decode('{}', 'hex') WHERE partner_id = '{partner}' AND seq = {}",
            hex::encode(&anew),
            rows[at].seq
        );
        rows[at].hash = anew;
    }
    sql += &format!(
        "; UPDATE audit_head h SET hash = a.hash FROM audit a WHERE h.partner_id = '{partner}' AND a.partner_id = h.partner_id AND a.seq = h.seq"
    );
    assert!(original.tampered(&sql).await.is_clean(), "nothing inside of the database tells");
    original.is_named(&sql, &text, &format!("audit {partner}/{last}")).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn anchors_that_were_edited_moved_or_taken_out_are_found() {
    let (original, text) = anchored().await;
    let lines: Vec<&str> = text.lines().collect();
    assert!(lines.len() > 1, "{text}");
    let joined = |lines: &[&str]| lines.join("\n") + "\n";
    let edited = lines[0].replace("\"seq\":", "\"seq\":1");
    let mut swapped = lines.clone();
    swapped.swap(0, 1);
    for (what, tampered, row) in [
        ("edited", joined(&[&[edited.as_str()], &lines[1..]].concat()), "anchor line 1"),
        ("swapped", joined(&swapped), "anchor line 1"),
        ("taken out", joined(&lines[1..]), "anchor line 1"),
        ("no anchor", joined(&[&["{}"], &lines[..]].concat()), "anchor line 1"),
    ] {
        let report = original.anchored("SELECT 1", &tampered).await;
        let named = report.findings().any(|(check, finding)| check == "audit anchors" && finding.row == row);
        assert!(named, "{what}: {report}");
    }
}

impl Original {
    async fn is_named(&self, sql: &str, anchors: &str, row: &str) {
        let report = self.anchored(sql, anchors).await;
        let named = report.findings().any(|(check, finding)| check == "audit anchors" && finding.row == row);
        assert!(named, "{row} isn't named\n{report}");
    }
}
