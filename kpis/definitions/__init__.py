"""The KPI definitions, one module a subject. A KPI is a function here and its name in the registry."""
