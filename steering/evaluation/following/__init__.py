"""Preference following: is an answer that respects what somebody once said the likelier one with their profile?"""
