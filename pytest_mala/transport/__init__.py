"""The edge: what stands between the SDK's client and the agent, stacked like pipes on the SDK's Transport."""
