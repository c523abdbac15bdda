-- A map layer is one scenario and period of a risk, a twelfth of its partition. Runs are loaded block by block, in each
-- block scenario by scenario and period by period, so a range of pages holds few of them: this index, of some kilobytes,
-- says which ranges need not be read.
CREATE INDEX modelops_hazard_scores_layer_ix ON modelops_hazard_scores
  USING brin (scenario_id, time_period) WITH (pages_per_range = 16);
CREATE INDEX modelops_probability_scores_layer_ix ON modelops_probability_scores
  USING brin (scenario_id, time_period) WITH (pages_per_range = 16);
