-- Older readers ask for `calculation_details`: how a figure came about, from the row itself and its run.
CREATE OR REPLACE VIEW probability_results_v AS
SELECT p.latitude, p.longitude, p.risk_type, p.grid_id, p.aal, p.probability, p.aal_se, p.bin_data, p.n_samples, p.method,
       p.run_id, p.calculated_at,
       (SELECT jsonb_object_agg('bin' || (e->>'bin'), e->'probability')
          FROM jsonb_array_elements(p.bin_data) AS e) AS bin_probabilities,
       jsonb_build_object('method', p.method, 'n_samples', p.n_samples, 'aal_se', p.aal_se, 'run_id', p.run_id,
                          'edition', r.edition, 'baseline', r.baseline, 'scope', r.scope) AS calculation_details
FROM probability_results p LEFT JOIN result_runs r ON r.run_id = p.run_id;
