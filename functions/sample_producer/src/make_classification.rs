//! scikit-learn 1.9.1's `make_classification`: every draw, in its order.

use crate::hypercube::Corners;
use crate::parameters::{Parameters, PerFeature};
use crate::product::{Rows, with_drawn_matrix};
use crate::random::RandomState;
use std::ops::Range;

/// A drawn sample: the rows and their labels.
pub struct Sample {
    /// Row-major, `n_samples` × `n_features`.
    pub x: Vec<f64>,
    /// The class of each row, below `n_classes`.
    pub y: Vec<u32>,
    /// Columns of `x`.
    pub n_features: usize,
}

impl Sample {
    /// One column of `x`, from the first row to the last.
    pub fn column(&self, feature: usize) -> impl Iterator<Item = f64> + '_ {
        self.x.iter().skip(feature).step_by(self.n_features).copied()
    }
}

/// Draws the sample that the parameters describe; the same parameters give the same bits on every machine.
pub fn make_classification(parameters: &Parameters) -> Sample {
    let mut drawing = Drawing::begin(parameters);
    drawing.informative_columns();
    drawing.redundant_columns();
    drawing.repeated_columns();
    drawing.noise_columns();
    drawing.flipped_labels();
    drawing.shift();
    drawing.scale();
    drawing.shuffle();
    drawing.sample
}

struct Drawing<'a> {
    parameters: &'a Parameters,
    random: RandomState,
    sample: Sample,
}

impl<'a> Drawing<'a> {
    fn begin(parameters: &'a Parameters) -> Self {
        let (rows, n_features) = (parameters.n_samples, parameters.n_features);
        Self {
            parameters,
            random: RandomState::new(parameters.random_state),
            sample: Sample { x: vec![0.0; rows * n_features], y: vec![0; rows], n_features },
        }
    }

    /// Gaussian blobs around corners of the hypercube, each cluster sheared by its own matrix.
    fn informative_columns(&mut self) {
        let parameters = self.parameters;
        let dimensions = parameters.n_informative;
        let corners = Corners::draw(&mut self.random, parameters.n_clusters(), dimensions);
        let spread = self.spread();
        self.gaussian_columns(0..dimensions);

        for (cluster, rows) in parameters.clusters.ranges().enumerate() {
            let product = self.product(rows.clone(), dimensions, dimensions);
            self.sample.y[rows.clone()].fill((cluster % parameters.n_classes) as u32);
            let centre: Vec<f64> = corners
                .coordinates(cluster)
                .enumerate()
                .map(|(dimension, bit)| {
                    let corner = bit * (2.0 * parameters.class_sep) - parameters.class_sep;
                    match &spread {
                        Some((clusters, dimensions)) => (corner * clusters[cluster]) * dimensions[dimension],
                        None => corner,
                    }
                })
                .collect();
            for (row, sheared) in rows.zip(product.chunks_exact(dimensions)) {
                let start = row * parameters.n_features;
                let values = &mut self.sample.x[start..start + dimensions];
                for ((value, sheared), centre) in values.iter_mut().zip(sheared).zip(&centre) {
                    *value = sheared + centre;
                }
            }
        }
    }

    /// Without the hypercube, a factor per cluster and a factor per dimension move the corners.
    fn spread(&mut self) -> Option<(Vec<f64>, Vec<f64>)> {
        if self.parameters.hypercube {
            return None;
        }
        let clusters = self.uniforms(self.parameters.n_clusters());
        let dimensions = self.uniforms(self.parameters.n_informative);
        Some((clusters, dimensions))
    }

    /// Linear combinations of the informative columns.
    fn redundant_columns(&mut self) {
        let parameters = self.parameters;
        if parameters.n_redundant == 0 {
            return;
        }
        let product = self.product(0..parameters.n_samples, parameters.n_informative, parameters.n_redundant);
        let combined = product.chunks_exact(parameters.n_redundant);
        for (row, combined) in self.sample.x.chunks_exact_mut(parameters.n_features).zip(combined) {
            row[parameters.n_informative..][..parameters.n_redundant].copy_from_slice(combined);
        }
    }

    /// Copies of informative and redundant columns, drawn with repetition.
    fn repeated_columns(&mut self) {
        let parameters = self.parameters;
        let sources = parameters.n_informative + parameters.n_redundant;
        let last = (sources - 1) as f64;
        let chosen: Vec<usize> =
            (0..parameters.n_repeated).map(|_| (last * self.random.uniform() + 0.5) as usize).collect();
        for row in self.sample.x.chunks_exact_mut(parameters.n_features) {
            for (place, source) in chosen.iter().enumerate() {
                row[sources + place] = row[*source];
            }
        }
    }

    fn noise_columns(&mut self) {
        let parameters = self.parameters;
        let meaningful = parameters.n_informative + parameters.n_redundant + parameters.n_repeated;
        self.gaussian_columns(meaningful..parameters.n_features);
    }

    /// The uniforms are drawn even when no label can flip.
    fn flipped_labels(&mut self) {
        let parameters = self.parameters;
        let draws = self.uniforms(parameters.n_samples);
        for (label, draw) in self.sample.y.iter_mut().zip(draws) {
            if draw < parameters.flip_y {
                *label = self.random.at_most(parameters.n_classes as u32 - 1);
            }
        }
    }

    fn shift(&mut self) {
        let class_sep = self.parameters.class_sep;
        let shifts = self.per_feature(&self.parameters.shift, |random| random.symmetric() * class_sep);
        for row in self.sample.x.chunks_exact_mut(shifts.len()) {
            for (value, shift) in row.iter_mut().zip(&shifts) {
                *value += shift;
            }
        }
    }

    fn scale(&mut self) {
        let scales = self.per_feature(&self.parameters.scale, |random| 1.0 + 100.0 * random.uniform());
        for row in self.sample.x.chunks_exact_mut(scales.len()) {
            for (value, scale) in row.iter_mut().zip(&scales) {
                *value *= scale;
            }
        }
    }

    /// First the rows with their labels, then the columns.
    fn shuffle(&mut self) {
        if !self.parameters.shuffle {
            return;
        }
        let rows = self.shuffled(self.parameters.n_samples);
        let features = self.shuffled(self.parameters.n_features);
        let before = &self.sample;
        let mut x = Vec::with_capacity(before.x.len());
        for row in &rows {
            let row = &before.x[*row as usize * before.n_features..][..before.n_features];
            x.extend(features.iter().map(|feature| row[*feature as usize]));
        }
        let y = rows.iter().map(|row| before.y[*row as usize]).collect();
        self.sample.x = x;
        self.sample.y = y;
    }

    fn product(&mut self, rows: Range<usize>, inner: usize, columns: usize) -> Vec<f64> {
        let stride = self.parameters.n_features;
        let rows = Rows { values: &self.sample.x, start: rows.start * stride, stride, count: rows.len() };
        with_drawn_matrix(&mut self.random, rows, inner, columns)
    }

    fn gaussian_columns(&mut self, columns: Range<usize>) {
        for row in self.sample.x.chunks_exact_mut(self.parameters.n_features) {
            self.random.fill_gaussian(&mut row[columns.clone()]);
        }
    }

    fn uniforms(&mut self, count: usize) -> Vec<f64> {
        (0..count).map(|_| self.random.uniform()).collect()
    }

    fn per_feature(&mut self, given: &PerFeature, draw: impl Fn(&mut RandomState) -> f64) -> Vec<f64> {
        let count = self.parameters.n_features;
        match given {
            PerFeature::Drawn => (0..count).map(|_| draw(&mut self.random)).collect(),
            PerFeature::Same(value) => vec![*value; count],
            PerFeature::Each(values) => values.clone(),
        }
    }

    fn shuffled(&mut self, count: usize) -> Vec<u32> {
        let mut order: Vec<u32> = (0..count as u32).collect();
        self.random.shuffle(&mut order);
        order
    }
}
