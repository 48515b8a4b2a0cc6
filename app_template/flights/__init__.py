"""Three airports, one year of departures: what the `flights.delays` workflow computes, as plain functions.

Read in the order of the data: source → records → measure → questions, comparison, causes → chart, picture, panels →
wording, tables, report; artifact writes the files.
"""
