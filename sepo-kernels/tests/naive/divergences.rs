//! Log-probabilities and divergences with all logits, in `f64`

use sepo_kernels::Rows;

/// Hidden states and head of one model
pub(crate) struct Model {
    pub(crate) hidden: Vec<f64>,
    pub(crate) lm_head: Vec<f64>,
    pub(crate) d_model: usize,
}

impl Model {
    fn logits(&self, h: usize) -> Vec<f64> {
        let hidden = &self.hidden[h * self.d_model..][..self.d_model];
        self.lm_head.chunks(self.d_model).map(|weight| super::dot(hidden, weight)).collect()
    }
}

/// Log-probabilities, forward and reverse divergence of every row
pub(crate) struct Values {
    pub(crate) logps: Vec<f64>,
    pub(crate) forward_kl: Vec<f64>,
    pub(crate) reverse_kl: Vec<f64>,
}

fn log_softmax(logits: &[f64]) -> Vec<f64> {
    let max = logits.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let lse = max + logits.iter().map(|logit| (logit - max).exp()).sum::<f64>().ln();
    logits.iter().map(|logit| logit - lse).collect()
}

fn kl(p: &[f64], q: &[f64]) -> f64 {
    p.iter().zip(q).map(|(p, q)| p.exp() * (p - q)).sum()
}

/// Log-probabilities of policy and of all others together, for hidden row `h`
fn distributions(policy: &Model, others: &[Model], h: usize) -> [Vec<f64>; 2] {
    let own = policy.logits(h);
    let mut sum = vec![0.0; own.len()];
    for other in others {
        sum.iter_mut().zip(other.logits(h)).for_each(|(sum, logit)| *sum += logit);
    }
    [log_softmax(&own), log_softmax(&sum)]
}

pub(crate) fn forward(policy: &Model, others: &[Model], rows: &Rows) -> Values {
    let mut values = Values { logps: vec![], forward_kl: vec![], reverse_kl: vec![] };
    for (&h, &target) in rows.hidden_rows().iter().zip(rows.targets()) {
        let [p, q] = distributions(policy, others, h as usize);
        values.logps.push(p[target as usize]);
        values.forward_kl.push(kl(&q, &p));
        values.reverse_kl.push(kl(&p, &q));
    }
    values
}

/// Gradients of the policy's hidden rows and head, and the sums of their absolute terms
pub(crate) fn backward(
    policy: &Model,
    others: &[Model],
    rows: &Rows,
    d: [&[f64]; 3],
) -> super::head::Gradients {
    let zeros = |like: &[f64]| vec![0.0; like.len()];
    let mut gradients = super::head::Gradients {
        dhidden: zeros(&policy.hidden),
        dlm_head: zeros(&policy.lm_head),
        dhidden_terms: zeros(&policy.hidden),
        dlm_head_terms: zeros(&policy.lm_head),
    };
    for (r, (&h, &target)) in rows.hidden_rows().iter().zip(rows.targets()).enumerate() {
        let h = h as usize;
        let [p, q] = distributions(policy, others, h);
        let reverse = kl(&p, &q);
        for v in 0..p.len() {
            let (log_p, log_q) = (p[v], q[v]);
            let (p, q) = (log_p.exp(), log_q.exp());
            let hit = f64::from(u8::from(v == target as usize));
            let dlogit = d[0][r] * (hit - p) + d[1][r] * (p - q) + d[2][r] * p * (log_p - log_q - reverse);
            let terms = d[0][r].abs() * (hit + p)
                + d[1][r].abs() * (p + q)
                + d[2][r].abs() * p * (log_p.abs() + log_q.abs() + reverse);
            let places = (h * policy.d_model..).zip(v * policy.d_model..).take(policy.d_model);
            for (at_hidden, at_head) in places {
                gradients.dhidden[at_hidden] += dlogit * policy.lm_head[at_head];
                gradients.dhidden_terms[at_hidden] += terms * policy.lm_head[at_head].abs();
                gradients.dlm_head[at_head] += dlogit * policy.hidden[at_hidden];
                gradients.dlm_head_terms[at_head] += terms * policy.hidden[at_hidden].abs();
            }
        }
    }
    gradients
}
