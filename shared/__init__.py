"""The language of the system: values, messages and ports. It imports no deployable."""
