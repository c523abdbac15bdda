// Which layers there are: those that were published, and differences between any two windows of them.

const BASES = { difference: "aal", relative_difference: "aal", hazard_difference: "hazard" };
const SAME = "same";

export const isDifference = (quantity) => quantity in BASES;
// colours of both signs about zero
export const isDiverging = (quantity) => quantity === "change" || isDifference(quantity);
export const ofLoss = (quantity) => !quantity.startsWith("hazard");

// {period: [scenario, ..]} of a risk; the whole axis holds all windows, so it is in no difference
export function layersOf(meta, risk, quantity) {
  const held = meta.layers[risk];
  if (!isDifference(quantity)) return held[quantity] ?? {};
  const windows = Object.fromEntries(Object.entries(held[BASES[quantity]]).filter(([name]) => name !== "full"));
  return Object.values(windows).flat().length > 1 ? windows : {};
}

// Scenario and period that a difference is against; what is the same is that of the layer
export function referenceOf({ scenario, period, than_scenario: other, than_period: window }) {
  return { scenario: other === SAME ? scenario : other, period: window === SAME ? period : window };
}

// Whether a choice of the reference goes with the others
export function isReference(layers, choices) {
  const { scenario, period } = referenceOf(choices), isSame = scenario === choices.scenario && period === choices.period;
  return !isSame && (layers[period]?.includes(Number(scenario)) ?? false);
}

export function addressOf({ risk, quantity, scenario, period, ...than }) {
  const layer = `${quantity}/${risk}?scenario_id=${scenario}&time_period=${period}`;
  if (!isDifference(quantity)) return layer;
  const reference = referenceOf({ scenario, period, ...than });
  return `${layer}&reference_scenario_id=${reference.scenario}&reference_period=${reference.period}`;
}
